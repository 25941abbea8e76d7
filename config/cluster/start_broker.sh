#!/bin/sh
# Starts the broker of compose.yaml, with the password of the replicas, and with the ACL of config/mosquitto until there is
# one of your own. Logins of cameras are added to the file passwords: docs/how-to/run-several-gateways.md.
set -eu
umask 077
data=/mosquitto/data
# The password is in no argument of a program: everybody on the machine can read those.
{ printf facegate: && cat /run/secrets/FACEGATE_MQTT__PASSWORD; } >"$data/passwords.new"
mosquitto_passwd -U "$data/passwords.new"
[ ! -e "$data/passwords" ] || sed /^facegate:/d "$data/passwords" >>"$data/passwords.new"
mv "$data/passwords.new" "$data/passwords"
[ -e "$data/acl" ] || cp /mosquitto/acl "$data/acl"
chmod 0600 "$data/passwords" "$data/acl"
exec mosquitto -c /mosquitto/config/logins.conf
