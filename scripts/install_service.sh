#!/bin/sh
# Installs Facegate as a service of systemd: `sudo make install-service`. Run it again to update Facegate.
# It makes the environment /opt/facegate/.venv, the user facegate, the settings in /etc/facegate, and the unit. It never
# changes existing settings. ROOT=/folder installs below a folder, for tests.
set -eu
cd "$(dirname "$0")/.."

fail() { printf 'install-service: %s\n' "$1" >&2; exit 1; }

root=${ROOT:-}
settings=$root/etc/facegate
[ "$(id -u)" = 0 ] || fail "only root can install a service: run \`sudo make install-service\`."

mkdir -p "$root/opt/facegate"
scripts/setup.sh production "$root/opt/facegate/.venv"
id facegate >/dev/null 2>&1 || useradd --system --home-dir /var/lib/facegate --shell /usr/sbin/nologin facegate
install -d -m 0755 "$settings"
if [ ! -e "$settings/gateway.yaml" ]; then
  # A service has no folder of its own to which relative paths could belong.
  sed 's|^data: data$|data: /var/lib/facegate|; s|^  folder: known_faces$|  folder: /var/lib/facegate/known_faces|' \
    config/gateway.yaml >"$settings/gateway.yaml"
fi
[ -e "$settings/secrets" ] || install -m 0600 /dev/null "$settings/secrets"
install -D -m 0644 config/facegate.service "$root/etc/systemd/system/facegate.service"
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # The service runs already if this is an update.
  systemctl try-restart facegate
fi
cat <<END
install-service: done. Next:
  1. Write the address of your broker into $settings/gateway.yaml (mqtt.host), and
     passwords into $settings/secrets, as lines such as FACEGATE_MQTT__PASSWORD=...
  2. sudo systemctl enable --now facegate
  3. sudo /opt/facegate/.venv/bin/facegate doctor
END
