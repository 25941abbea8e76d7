#!/bin/sh
# Starts the broker of compose.yaml: without logins if only programs of this machine reach it, otherwise with logins.
set -eu
if [ "$BROKER_ADDRESS" = 127.0.0.1 ]; then
    exec mosquitto -c /mosquitto/config/open.conf
fi
if [ ! -f /mosquitto/data/passwords ]; then
    echo "BROKER_ADDRESS=$BROKER_ADDRESS opens the broker to the network, which needs logins, and there are none: remove" \
        "that line of .env, and follow 'Let cameras in' of docs/how-to/run-in-a-container.md." >&2
    exit 1
fi
exec mosquitto -c /mosquitto/config/logins.conf
