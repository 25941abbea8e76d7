#!/bin/sh
# Makes the environment in .venv, with what uv.lock says; does nothing when that is done already.
# Needs Python 3.10 to 3.13 with venv. PYTHON=/path/to/python chooses one.
set -eu
cd "$(dirname "$0")/.."

fail() { printf 'setup: %s\n' "$1" >&2; exit 1; }

usable() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

# What a command is: "python3 is 3.14", or "there is no python3".
what_is() {
  version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) &&
    printf '%s is %s' "$1" "$version" || printf 'there is no %s that works' "$1"
}

# Whether apt has a package in a version that begins so.
apt_has() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q "Candidate: $2"; }

# What to do on this machine to get a Python that will do. No package is named that it does not have.
advice() {
  for minor in 13 12 11 10; do
    if apt_has "python3.$minor-venv" '[0-9]'; then
      echo "sudo apt-get install python3.$minor python3.$minor-venv"
      return
    fi
    if ! command -v python3 >/dev/null && apt_has python3 "3\.$minor\."; then
      echo "sudo apt-get install python3 python3-venv"
      return
    fi
  done
  if command -v uv >/dev/null; then
    echo "uv python install 3.13"
  elif command -v python3 >/dev/null; then
    # in a folder of its own: many systems let pip install nothing beside their own packages
    echo "python3 -m venv ~/.uv && ~/.uv/bin/pip install uv && ~/.uv/bin/uv python install 3.13"
  else
    echo "install Python 3.13, from your system or from https://www.python.org/downloads/"
  fi
}

if ! usable .venv/bin/python; then
  # the last two: where uv and pyenv keep theirs, whether they are on the PATH or not
  for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10 \
    "${HOME:-}"/.local/share/uv/python/cpython-3.1[0-3].*/bin/python3 \
    "${HOME:-}"/.pyenv/versions/3.1[0-3].*/bin/python3}; do
    usable "$python" && break
    python=
  done
  [ -n "$python" ] || fail "Python 3.10 to 3.13 is needed, and $(what_is "${PYTHON:-python3}").
Get one that will do with
  $(advice)
then run \`make setup\` again (PYTHON=/path/to/python make setup chooses one)."
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
