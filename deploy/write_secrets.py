"""Writes fresh secrets into a folder, one file each, for systemd's credentials and compose's secrets.

usage: python deploy/write_secrets.py FOLDER [--postgres HOST] [--redis URL] [--containers]

A file that exists is kept: losing or replacing a FERNET key makes stored credentials unreadable. The folder
and the files are for their owner alone. With --containers, which needs root, each file is given to the user
that its container runs as: compose shows files as they are.
Needs only Python itself.
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

from write_env import fernet_key, ledger_key, secret_key

CAKEWALK, POSTGRES = 10001, 999
"""Users of the containers."""


def main(folder: Path, postgres: str, redis: str, *, containers: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    password = _kept(folder / "postgres_password", secrets.token_urlsafe(32))
    _kept(folder / "database_url", f"postgres://cakewalk:{password}@{postgres}/cakewalk")
    _kept(folder / "broker_url", redis)
    _kept(folder / "django_secret_key", secret_key())
    _kept(folder / "fernet_keys", fernet_key())
    _kept(folder / "ledger_key", ledger_key())
    if containers:
        for path in folder.iterdir():
            os.chown(path, POSTGRES if path.name == "postgres_password" else CAKEWALK, -1)


def _kept(path: Path, fresh: str) -> str:
    """What stands there, or what is written there now."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(handle, "w") as file:
        file.write(fresh)
    print(f"Wrote {path}.", file=sys.stderr)
    return fresh


if __name__ == "__main__":
    words = argparse.ArgumentParser(description="Write fresh secrets into a folder, one file each.")
    words.add_argument("folder", type=Path)
    words.add_argument("--postgres", default="127.0.0.1:5432", metavar="HOST:PORT")
    words.add_argument("--redis", default="redis://127.0.0.1:6379/0", metavar="URL")
    words.add_argument("--containers", action="store_true", help="give each file to its container's user")
    given = words.parse_args()
    main(given.folder, given.postgres, given.redis, containers=given.containers)
