#!/bin/sh
# Makes the environment in .venv, with what uv.lock says; does nothing when that is done already.
# Needs Python 3.10 to 3.13 with venv. PYTHON=/path/to/python chooses one.
set -eu
cd "$(dirname "$0")/.."

fail() { printf 'setup: %s\n' "$1" >&2; exit 1; }

usable() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

if ! usable .venv/bin/python; then
  for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
    usable "$python" && break
    python=
  done
  [ -n "$python" ] || fail "Python 3.10 to 3.13 is needed: sudo apt-get install python3 python3-venv"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "Python's venv module is missing: sudo apt-get install $("$python" -c \
      'import sys; print("python3-venv, or python%d.%d-venv" % sys.version_info[:2])')"
  echo "setup: a virtual environment in .venv, with $("$python" --version)"
  "$python" -m venv --clear .venv
fi

done_mark=.venv/.facegate-$(cat pyproject.toml uv.lock | cksum | tr ' ' -)
[ -e "$done_mark" ] && exit 0

uv=$(sed -n '/^name = "uv"$/{n;s/^version = "\(.*\)"$/\1/p;}' uv.lock)
echo "setup: installing the packages of uv.lock (about 350 MB the first time)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv" ||
  fail "uv cannot be installed; is the Python package registry reachable?"
# Compiled at once: every worker process and every test that starts a program would else pay for it.
UV_PROJECT_ENVIRONMENT=.venv .venv/bin/uv sync --frozen --compile-bytecode || fail "the packages cannot be installed; see above"
rm -f .venv/.facegate-*
touch "$done_mark"
echo "setup: done"
