# For backup.sh and restore.sh. connect URL FILE: libpq's variables from an address such as
# postgres://USER:PASSWORD@HOST:PORT/DATABASE; the password goes into FILE.
connect() {
    libpq=$(CONNECT_URL=$1 python3 - "$2" <<'PYTHON'
import os, sys
from urllib.parse import unquote, urlsplit
url, file = urlsplit(os.environ["CONNECT_URL"]), sys.argv[1]
said = {
    "PGHOST": unquote(url.hostname or ""),
    "PGPORT": str(url.port or 5432),
    "PGUSER": unquote(url.username or ""),
    "PGDATABASE": unquote(url.path.lstrip("/")),
    "PGPASSFILE": file,
}
escaped = unquote(url.password or "").replace("\\", "\\\\").replace(":", "\\:")
with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
    handle.write(f"*:*:*:*:{escaped}\n")
if any(any(c.isspace() for c in value) for value in said.values()):
    sys.exit("a part of DATABASE_URL has white space in it")
print(*[f"{name}={value}" for name, value in said.items() if value])
PYTHON
    )
    for part in $libpq; do
        export "${part?}"
    done
}
