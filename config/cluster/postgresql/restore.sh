#!/bin/sh
# Makes a new database from the two dumps of dump.sh, on the machine of the database:
#   sudo sh restore.sh DATABASE PEOPLE_DUMP KEPT_DUMP
# The user facegate must exist (create.sql). Variables such as PGPORT apply.
set -eu
[ $# = 3 ] || { echo "restore.sh: expected the name of a new database and two dumps, such as:
sudo sh restore.sh facegate_restored people-2026-11-30.dump kept.dump" >&2; exit 2; }
database=$1
as_postgres=
[ "$(id -u)" != 0 ] || as_postgres='runuser -u postgres --'

run() { (cd / && $as_postgres "$@"); }

# The user postgres may not read the dumps. This shell opens them, and before anything is made.
exec 3<"$2" 4<"$3"
run createdb --owner facegate --template template0 --encoding UTF8 "$database"
# As in create.sql: other users of the server may not connect.
run psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --dbname "$database" --command "REVOKE ALL ON DATABASE \"$database\" FROM PUBLIC"
if ! run pg_restore --single-transaction --dbname "$database" <&3 || ! run pg_restore --single-transaction --dbname "$database" <&4; then
    echo "restore.sh: the dumps were not restored; see above. Remove the new database before you try again: sudo -u postgres dropdb $database" >&2
    exit 1
fi
