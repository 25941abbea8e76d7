#!/bin/sh
# Starts the broker of compose.yaml, with the password of the replicas, and with the ACL of config/mosquitto until there is
# one of your own. Logins of cameras are added to the file passwords: docs/how-to/run-several-gateways.md.
set -eu
umask 077
data=/mosquitto/data
touch "$data/passwords"
mosquitto_passwd -b "$data/passwords" facegate "$(cat /run/secrets/FACEGATE_MQTT__PASSWORD)"
[ -e "$data/acl" ] || cp /mosquitto/acl "$data/acl"
chmod 0600 "$data/passwords" "$data/acl"
exec mosquitto -c /mosquitto/config/logins.conf
