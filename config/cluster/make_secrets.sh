#!/bin/sh
# Makes the secrets of compose.yaml in the folder secrets/, which no other user of this machine may enter. A secret that is
# there already stays. `sh make_secrets.sh nas.local` makes the certificate of REST for that name.
set -eu
cd "$(dirname "$0")"
host=${1:-localhost}
umask 022
mkdir -p secrets
# A folder that is there already may let others in.
chmod 0700 secrets
cd secrets

make() {
    [ -e "$1" ] || { printf '%s\n' "$2" >"$1.new" && mv "$1.new" "$1"; }
}

make postgres_password "$(openssl rand -hex 24)"
make store_password "$(openssl rand -hex 24)"
# The network of compose.yaml does not leave this machine.
make FACEGATE_PEOPLE__STORE "postgresql://facegate:$(cat store_password)@postgres/facegate?sslmode=disable"
make FACEGATE_PEOPLE__KEY "$(openssl rand -base64 32)"
make FACEGATE_MQTT__PASSWORD "$(openssl rand -hex 24)"
if [ ! -e rest_certificate.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 820 -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host,DNS:localhost,IP:127.0.0.1" -keyout rest_key.pem -out rest_certificate.pem 2>/dev/null
fi
# The users of the containers have other numbers than you. The folder keeps other users of this machine out.
chmod 0444 ./*
echo "The secrets are in $PWD. Store a copy of FACEGATE_PEOPLE__KEY elsewhere: without it nobody can read the people."
