#!/bin/sh
# Builds dist/facegate_VERSION_SYSTEM_ARCHITECTURE.deb: `make deb`. It needs Debian or Ubuntu, Python's venv and a network.
# The package has an environment in /opt/facegate/.venv, which belongs to the Python of the system that built it. So each
# release of Debian needs a package of its own, built there. config/deb has the scripts of the package.
set -eu
cd "$(dirname "$0")/.."

# Python of the system: that of a home folder is not on other machines.
python=/usr/bin/python3
minor=$($python -c 'import sys; print(sys.version_info.minor)')
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' gateway/__init__.py)
architecture=$(dpkg --print-architecture)
system=$(. /etc/os-release && echo "$ID$VERSION_ID")

stage=.venvs/deb
rm -rf $stage
mkdir -p $stage/DEBIAN $stage/etc/facegate $stage/usr/bin $stage/usr/lib/systemd/system $stage/usr/share/doc/facegate dist
PYTHON=$python scripts/setup.sh production "$PWD/$stage/opt/facegate/.venv"
# Programs and bytecode name the folder that they will be in.
grep -rlI "$PWD/$stage" $stage/opt/facegate/.venv/bin $stage/opt/facegate/.venv/pyvenv.cfg | xargs sed -i "s|$PWD/$stage||g"
$python -m compileall -q -f -s "$PWD/$stage" -p / "$PWD/$stage/opt/facegate/.venv/lib" || true

sed 's|^data: data$|data: /var/lib/facegate|; s|^  folder: known_faces$|  folder: /var/lib/facegate/known_faces|' \
  config/gateway.yaml >$stage/etc/facegate/gateway.yaml
ln -s /opt/facegate/.venv/bin/facegate $stage/usr/bin/facegate
cp config/facegate.service $stage/usr/lib/systemd/system/
cat LICENSE NOTICE licenses/* >$stage/usr/share/doc/facegate/copyright
echo /etc/facegate/gateway.yaml >$stage/DEBIAN/conffiles
install -m 0755 config/deb/* $stage/DEBIAN/
cat >$stage/DEBIAN/control <<END
Package: facegate
Version: $version
Architecture: $architecture
Maintainer: Facegate contributors <facegate@localhost>
Section: net
Priority: optional
Installed-Size: $(du -sk $stage/opt | cut -f1)
Depends: python3 (>= 3.$minor), python3 (<< 3.$((minor + 1))), libstdc++6, adduser
Suggests: mosquitto
Description: face recognition for cameras on MQTT
 A gateway that gives cameras on MQTT face recognition, with a REST interface
 and a console. It contains the Python packages that it needs.
END
chmod -R go=rX,u+w $stage
file=dist/facegate_${version}_${system}_$architecture.deb
dpkg-deb --root-owner-group -Zzstd --build $stage "$file"
rm -rf $stage
# Without --reinstall, apt would keep an earlier build of the same version.
echo "deb: $file has $(du -m "$file" | cut -f1) MB. To install it, run"
echo "  sudo apt-get install --reinstall ./$file"
