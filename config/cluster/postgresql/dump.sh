#!/bin/sh
# Dumps the database of a cluster into a folder, on the machine of the database:
#   sudo sh dump.sh FOLDER [DATABASE]
# people-DATE.dump may be kept for long. kept.dump has what must not become older, such as the data keys, so there is only
# one. docs/how-to/run-several-gateways.md says why. Variables such as PGPORT apply.
set -eu
[ $# -ge 1 ] || { echo "dump.sh: expected a folder for the dumps, such as: sudo sh dump.sh /mnt/usb" >&2; exit 2; }
folder=$1
database=${2:-facegate}
kept='facegate.(data_keys|key_check|tombstones|tokens|audit|audit_key|checkpoint)'
# The secret is in no dump, so that nobody who reads a dump can end connections at the broker. A restored database makes a
# new one.
secret='facegate.cluster_secret'
as_postgres=
[ "$(id -u)" != 0 ] || as_postgres='runuser -u postgres --'
# Names and keys are in the dumps: nobody else may read them.
umask 077

fail() {
    echo "dump.sh: $1" >&2
    exit 1
}

# A new and empty store in place of a lost one would replace the only copy of the data keys of the lost one.
store=$(cd / && $as_postgres psql --no-psqlrc --no-align --tuples-only --dbname "$database" \
    --command "SELECT left(encode(sha256(value::bytea), 'hex'), 16) FROM facegate.meta WHERE key = 'secret'") && [ "$store" ] ||
    fail "the database $database has no people store of Facegate; see above. The earlier dumps are unchanged."
if [ -e "$folder/store.id" ] && [ "$(cat "$folder/store.id")" != "$store" ]; then
    fail "$folder has the dumps of another store than that in the database $database: name another folder. The earlier dumps are unchanged."
fi

# replace FILE COMMAND...: write the output of a command into a file. An earlier file is replaced only by a complete one.
replace() {
    file=$1
    shift
    if ! "$@" >"$file.new" || ! sync "$file.new"; then
        rm -f "$file.new"
        fail "$file was not written; see above. The earlier $file, if there is one, is unchanged."
    fi
    mv "$file.new" "$file"
}

# dump OPTION...: print a dump of the database.
dump() {
    (cd / && $as_postgres pg_dump --format=custom "$@" "$database")
}

# Before the dumps: a folder with any of them is closed to other stores.
replace "$folder/store.id" echo "$store"
# The keys last: they open everything that is in the dump of the people.
replace "$folder/people-$(date +%F).dump" dump --exclude-table-data="$kept" --exclude-table-data="$secret" --exclude-table='facegate.search_*'
replace "$folder/kept.dump" dump --data-only --table="$kept"
