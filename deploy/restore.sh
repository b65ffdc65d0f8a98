#!/bin/sh
# Restores a backup of deploy/backup.sh into an EMPTY database, and makes it harmless.
# usage: deploy/restore.sh BACKUP        with DATABASE_URL, FERNET_KEYS and all other settings of the installation
#
# Stop the web server, the workers and the clock first, and start them when this has ended well. It checks every
# file against the manifest, restores, migrates, runs after_restore (docs/deploy.md tells why), verifies the ledger,
# and says whether FERNET_KEYS read every secret. It never writes over a database that holds anything, and
# never over checkpoints: those that are newer than the backup are what shows how much is lost.
set -eu
umask 077

fail() { echo "restore: $*" >&2; exit 1; }

[ $# = 1 ] || fail "usage: deploy/restore.sh BACKUP"
backup=$(cd "$1" && pwd) || fail "there is no folder $1"
here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$here/.venv/bin/python}
url=${DATABASE_URL:-}
[ -z "${DATABASE_URL_FILE:-}" ] || url=$(cat "$DATABASE_URL_FILE")
case $url in postgres://*|postgresql://*) ;; *) fail "DATABASE_URL is no address of PostgreSQL" ;; esac
var=${VAR_DIR:-$here/var}
checkpoints=${LEDGER_CHECKPOINTS:-$var/checkpoints}

echo "Comparing the files with the manifest." >&2
(cd "$backup" && sha256sum --check --quiet --strict MANIFEST) || fail "the backup is not what was written"

password=$(mktemp)
trap 'rm -f "$password"' EXIT
. "$(dirname "$0")/postgres.sh"
connect "$url" "$password"

tables=$(psql -qtAX -c "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public'") || fail "the database does not answer"
[ "$tables" = 0 ] || fail "the database $PGDATABASE holds $tables tables already; restore into an empty one"

echo "Restoring the database." >&2
pg_restore --no-owner --no-privileges --exit-on-error --single-transaction --dbname="$PGDATABASE" \
    "$backup/database.dump"

mkdir -p "$checkpoints"
for file in "$backup"/checkpoints/checkpoint-*.json; do
    [ ! -e "$file" ] || [ -e "$checkpoints/$(basename "$file")" ] || cp -p "$file" "$checkpoints/"
done
if [ -n "${RETENTION_FOLDER:-}" ]; then
    mkdir -p "$RETENTION_FOLDER"
    cp -pRn "$backup/retention/." "$RETENTION_FOLDER/"
fi

cd "$here"
echo "Migrating." >&2
"$python" manage.py migrate --no-input --verbosity 0
"$python" manage.py migrate --check >/dev/null
"$python" manage.py after_restore --backup "$(basename "$backup")"
"$python" manage.py history verify
"$python" manage.py rekey --check || fail "FERNET_KEYS do not read every secret; everything else is restored"
