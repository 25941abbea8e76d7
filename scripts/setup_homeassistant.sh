#!/bin/sh
# Creates a virtual environment with Home Assistant in .venvs/homeassistant, for the tests against the real program.
# Does nothing if it is up to date, or if HOMEASSISTANT_VENV names another environment. Where Python 3.13 or the
# packages cannot be had, this is reported, and the tests are skipped: scripts/setup_homeassistant.sh
set -eu
cd "$(dirname "$0")/.."

skip() { printf 'setup-homeassistant: SKIPPED: %s\n' "$1"; exit 0; }

if [ -n "${HOMEASSISTANT_VENV:-}" ]; then
  echo "setup-homeassistant: the tests use the Home Assistant of $HOMEASSISTANT_VENV (HOMEASSISTANT_VENV)"
  exit 0
fi

# The newest version that runs on Python 3.13. The newer ones need Python 3.14.
version=2026.2.3
environment=.venvs/homeassistant
done_mark=$environment/.facegate-$version
[ -e "$done_mark" ] && exit 0

python=$(scripts/find_python.sh 13) || skip "Python 3.13, on which Home Assistant $version runs, is not installed"
echo "setup-homeassistant: Home Assistant $version in $environment (about 800 MB)"

# Home Assistant asks for Python 3.13.2. The tests need nothing that is newer than 3.13.0.
install() { .venv/bin/uv pip install --quiet --python "$environment/bin/python" --python-version 3.13.2 "$@"; }

packages="the packages of Home Assistant cannot be installed; see above"
.venv/bin/uv venv --quiet --clear --python "$python" "$environment" || skip "$packages"
install "homeassistant==$version" || skip "$packages"
# Home Assistant installs the packages of an integration when it is first used. These are the ones of the integrations
# mqtt, frontend and mobile_app, which imports many others.
constraints=$(echo "$environment"/lib/python3.13/site-packages/homeassistant/package_constraints.txt)
install --constraint "$constraints" paho-mqtt home-assistant-frontend PyNaCl hass-nabucasa numpy av PyTurboJPEG \
  hassil home-assistant-intents mutagen ha-ffmpeg pymicro-vad pyspeex-noise || skip "$packages"
touch "$done_mark"
echo "setup-homeassistant: done"
