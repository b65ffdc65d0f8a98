#!/bin/sh
# A backup of everything but the keys: one folder with the database, the checkpoints and the retention files.
# usage: deploy/backup.sh FOLDER        makes FOLDER/cakewalk-DATE-TIME
#
# Needs DATABASE_URL or DATABASE_URL_FILE, and pg_dump not older than the server. VAR_DIR, LEDGER_CHECKPOINTS and
# RETENTION_FOLDER are where the settings say. Jobs may run meanwhile: pg_dump sees one moment of the database.
#
# FERNET_KEYS and DJANGO_SECRET_KEY are not in it, on purpose: with them the stored credentials could be read. Keep
# them elsewhere, or a restored database has no credentials. What is in it is not encrypted beyond that: names,
# addresses and history. Whoever keeps it must keep it as safe as the database.
set -eu
umask 077

fail() { echo "backup: $*" >&2; exit 1; }

[ $# = 1 ] || fail "usage: deploy/backup.sh FOLDER"
url=${DATABASE_URL:-}
[ -z "${DATABASE_URL_FILE:-}" ] || url=$(cat "$DATABASE_URL_FILE")
case $url in postgres://*|postgresql://*) ;; *) fail "DATABASE_URL is no address of PostgreSQL" ;; esac
var=${VAR_DIR:-var}
checkpoints=${LEDGER_CHECKPOINTS:-$var/checkpoints}

name=cakewalk-$(date -u +%Y%m%d-%H%M%S)
unfinished=$1/.unfinished-$name
mkdir -p "$1"
mkdir "$unfinished"
trap 'rm -rf "$unfinished"' EXIT

# The password goes by a file, as others can read the words of a running program.
. "$(dirname "$0")/postgres.sh"
connect "$url" "$unfinished/.pgpass"

# Checkpoints before the database: none of them may know of entries that the dump does not have.
mkdir "$unfinished/checkpoints" "$unfinished/retention"
for file in "$checkpoints"/checkpoint-*.json; do
    [ ! -e "$file" ] || cp -p "$file" "$unfinished/checkpoints/"
done
pg_dump --format=custom --no-owner --no-privileges --file="$unfinished/database.dump"
# Retention files after it: what the database says was written there, is there.
if [ -n "${RETENTION_FOLDER:-}" ] && [ -d "$RETENTION_FOLDER" ]; then
    cp -pR "$RETENTION_FOLDER/." "$unfinished/retention/"
fi
rm -f "$unfinished/.pgpass"

cd "$unfinished"
pg_restore --list database.dump >/dev/null
find . -type f ! -name MANIFEST -print | LC_ALL=C sort | while read -r file; do sha256sum "$file"; done >MANIFEST
cd - >/dev/null
sync
mv "$unfinished" "$1/$name"
trap - EXIT
echo "$1/$name"
