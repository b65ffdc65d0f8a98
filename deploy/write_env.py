"""Writes `.env` with fresh secrets where there is none. Needs only Python itself.

A file that exists is its owner's: losing or replacing a FERNET key makes stored credentials unreadable.
"""

import base64
import os
import secrets
import sys
from pathlib import Path

TEMPLATE = """\
# Written by `make run`. .env.example lists everything that can be set here; docs/settings.md explains it.
# Keep FERNET_KEYS as safe as your database: without it the stored credentials cannot be read.
DJANGO_SECRET_KEY={secret_key}
FERNET_KEYS={fernet_key}
# Signs the checkpoints of the ledger; docs/ledger.md tells where it is better kept.
LEDGER_KEY={ledger_key}
"""


def secret_key() -> str:
    return secrets.token_urlsafe(50)


def fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode("ascii")


def ledger_key() -> str:
    return base64.b64encode(os.urandom(32)).decode("ascii")


def main(path: Path) -> None:
    content = TEMPLATE.format(secret_key=secret_key(), fernet_key=fernet_key(), ledger_key=ledger_key())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        file.write(content)
    print(f"Wrote {path} with fresh secrets.", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(".env"))
