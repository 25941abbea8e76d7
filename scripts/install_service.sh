#!/bin/sh
# Installs Facegate as a service of systemd: `sudo make install-service`. Run it again to update Facegate.
# It makes an environment in /opt/facegate/versions, the link /opt/facegate/.venv to it, the command facegate, the user
# facegate, the settings in /etc/facegate, and the unit. It never changes existing settings. A running service keeps the
# files that it was started from. ROOT=/folder installs below a folder, for tests.
set -eu
# The user of the service must be able to read all of it but the secrets.
umask 022
cd "$(dirname "$0")/.."

fail() { printf 'install-service: %s\n' "$1" >&2; exit 1; }

root=${ROOT:-}
settings=$root/etc/facegate
program=$root/opt/facegate
unit=$root/etc/systemd/system/facegate.service
command=$root/usr/local/bin/facegate
[ "$(id -u)" = 0 ] || fail "only root can install a service: run \`sudo make install-service\`."
if command -v dpkg >/dev/null && dpkg -S "$program/.venv" >/dev/null 2>&1; then
  fail "the Debian package facegate is installed, and has its files in $program too.
Update it by a newer package (\`make deb\`), or remove it first: sudo apt-get remove facegate"
fi

# Another owner could put links there that root follows, and change the programs that root runs.
for each in "$program" "$program/versions"; do
  if [ -e "$each" ] && [ ! -O "$each" ]; then
    fail "$each belongs to another user than root, who can change the programs in it.
Look at what is there, and give it to root: sudo chown -hR root: $each"
  fi
  install -d -m 0755 "$each"
done
id facegate >/dev/null 2>&1 || useradd --system --home-dir /var/lib/facegate --shell /usr/sbin/nologin facegate
install -d -m 0755 "$settings" "$(dirname "$unit")" "$(dirname "$command")"
# Another run would delete the environment that this one makes.
exec 9<"$program/versions"
flock --nonblock 9 || fail "another installation is running: wait until it has ended."

# An interrupted run leaves the next link, and may have moved away the environment of version 0.1.0, which was no link.
rm -f "$program/.venv.new"
if [ ! -e "$program/.venv" ] && [ ! -L "$program/.venv" ] && [ -d "$program/versions/before" ]; then
  mv "$program/versions/before" "$program/.venv"
fi
# The service was started from the environment to which .venv points. All others are older, or were not finished.
old=
if [ -L "$program/.venv" ]; then
  # An administrator may have made the link, with a whole path.
  found=$(readlink -f "$program/.venv" || true)
  if [ ! -d "$found" ] || [ "$(dirname "$found")" != "$(readlink -f "$program/versions")" ]; then
    fail "$program/.venv must point to a folder in $program/versions, but points to $(readlink "$program/.venv").
Nothing was deleted. Let it point to the environment to keep, one of \`ls $program/versions\`:
sudo ln -sfnT versions/NAME $program/.venv"
  fi
  old=versions/${found##*/}
fi
for each in "$program"/versions/*; do
  [ "$each" = "$program/$old" ] || rm -rf "$each"
done
new=versions/$(date -u +%Y%m%d-%H%M%S)-$$
discard() { rm -rf "$program/$new"; fail "$1"; }
if [ -d "$program/.venv" ]; then
  # A copy keeps the extras, and needs few downloads. Its programs name the folder that they are in.
  source=$program/${old:-.venv}
  cp -a "$source" "$program/$new" || discard "the present environment cannot be copied; see above"
  { grep -rlIF "$source" "$program/$new/bin" "$program/$new/pyvenv.cfg" || true; } |
    xargs -r sed -i "s|$source|$program/$new|g"
fi
scripts/setup.sh service "$program/$new" || discard "the installed version of Facegate was not changed"
if [ -z "$root" ]; then
  (cd / && runuser -u facegate -- "$program/$new/bin/facegate" --version) ||
    discard "the user facegate cannot run the new version; see above. The installed version was not changed"
fi

# A link is replaced in one step: there is a complete environment at any time.
ln -s "$new" "$program/.venv.new"
[ -L "$program/.venv" ] || [ ! -e "$program/.venv" ] || mv "$program/.venv" "$program/versions/before"
mv -T "$program/.venv.new" "$program/.venv"

if [ ! -e "$settings/gateway.yaml" ]; then
  # A service has no folder of its own to which relative paths could belong. A full disk must not leave half a file.
  sed 's|^data: data$|data: /var/lib/facegate|; s|^  folder: known_faces$|  folder: /var/lib/facegate/known_faces|' \
    config/gateway.yaml >"$settings/gateway.yaml.new"
  mv "$settings/gateway.yaml.new" "$settings/gateway.yaml"
fi
[ -e "$settings/secrets" ] || install -m 0600 /dev/null "$settings/secrets"
install -m 0644 config/facegate.service "$unit.new"
mv "$unit.new" "$unit"
if [ ! -e "$command" ] && [ ! -L "$command" ]; then
  ln -s /opt/facegate/.venv/bin/facegate "$command"
elif [ "$(readlink "$command" || true)" != /opt/facegate/.venv/bin/facegate ]; then
  echo "install-service: $command is another program and was left alone: run /opt/facegate/.venv/bin/facegate instead."
fi
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # The service runs already if this is an update. It may have to wait for its broker, so nothing waits for it here.
  systemctl try-restart --no-block facegate ||
    echo "install-service: the service was not restarted: see above, and run \`systemctl status facegate\`."
  # Replicas of a cluster on this machine are restarted one after the other, so that one of them always serves.
  replicas=$(systemctl list-units --plain --no-legend --state=active,activating 'facegate@*.service' | cut -d ' ' -f 1)
  for each in $replicas; do
    echo "install-service: $each still runs the version of before: sudo systemctl restart ${each%.service}"
  done
fi
cat <<END
install-service: done. Next:
  1. Write the address of your broker into $settings/gateway.yaml (mqtt.host), and
     passwords into $settings/secrets, as lines such as FACEGATE_MQTT__PASSWORD=...
  2. sudo systemctl enable --now facegate
  3. sudo facegate doctor --config /etc/facegate/gateway.yaml
END
