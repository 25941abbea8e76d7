#!/bin/sh
# Creates the virtual environment in .venv, with the packages of uv.lock. Does nothing if it is up to date.
# Needs Python 3.10 to 3.13 with its module venv. PYTHON=/path/to/python chooses one.
# `setup.sh production [FOLDER]` creates one with what the gateway needs only, in .venv or in FOLDER (an absolute path):
# Facegate's wheel without tests, tools and demo, and the extras that EXTRAS names. It works without the checkout.
# `setup.sh service FOLDER` does the same, with a Python that the unit of systemd does not hide from the service.
# Every package is a wheel whose SHA-256 stands in uv.lock. Only Facegate itself is built, with the hatchling from there.
set -eu
cd "$(dirname "$0")/.."

fail() { printf 'setup: %s\n' "$1" >&2; exit 1; }

usable() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

# Succeeds if a service sees this Python. config/facegate.service hides these folders (ProtectHome, PrivateTmp).
seen_by_services() {
  case $("$1" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')/ in
    /home/* | /root/* | /run/user/* | /tmp/* | /var/tmp/*) return 1 ;;
  esac
}

suitable() { usable "$1" && { [ "$target" != install-service ] || seen_by_services "$1"; }; }

# Prints the version of a command: "python3 is 3.14", or "there is no python3 that works".
describe() {
  if usable "$1"; then
    printf '%s is in a folder that systemd hides from services' "$1"
    return
  fi
  version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) &&
    printf '%s is %s' "$1" "$version" || printf 'there is no %s that works' "$1"
}

# Succeeds if apt has the package, in a version that begins with the pattern.
apt_has() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q "Candidate: $2"; }

# Prints a command that installs a suitable Python on this machine. It names only packages that apt has.
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
  uv=uv shared=
  if [ "$target" = install-service ]; then
    # uv would choose a home folder. find_python looks in this one. sudo does not know the user's PATH.
    uv=$(command -v uv || true) shared="sudo UV_PYTHON_INSTALL_DIR=/opt/python "
  fi
  if command -v uv >/dev/null; then
    echo "$shared$uv python install 3.13"
  elif command -v python3 >/dev/null; then
    # uv gets a folder of its own: many systems do not let pip install into the system's Python.
    echo "python3 -m venv ~/.uv && ~/.uv/bin/pip install uv && $shared~/.uv/bin/uv python install 3.13"
  else
    echo "install Python 3.13, from your system or from https://www.python.org/downloads/"
  fi
}

# Sets $python to a suitable Python, or fails with advice.
find_python() {
  again="make $target"
  [ "$target" != install-service ] || again="sudo $again"
  # The last three are folders of uv and pyenv, which may not be on the PATH.
  for python in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10 \
    /opt/python/cpython-3.1[0-3].*/bin/python3 \
    "${HOME:-}"/.local/share/uv/python/cpython-3.1[0-3].*/bin/python3 \
    "${HOME:-}"/.pyenv/versions/3.1[0-3].*/bin/python3}; do
    suitable "$python" && break
    python=
  done
  [ -n "$python" ] || fail "Python 3.10 to 3.13 is needed, and $(describe "${PYTHON:-python3}").
Install a suitable one with
  $(advice)
then run \`$again\` again (\`$again PYTHON=/path/to/python\` chooses one)."
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "Python's venv module is missing. Install it with
  sudo apt-get install $("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
then run \`$again\` again."
}

# Installs uv into an environment, as uv.lock names it: its version and its digests, in the form of pip.
install_uv() {
  sed -n '/^name = "uv"$/,/^\[\[package\]\]$/p' uv.lock |
    sed -n 's/^version = "\(.*\)"$/uv==\1/p; s/.* hash = "\(sha256:[0-9a-f]*\)".*/ --hash=\1/p' |
    tr '\n' ' ' >"$1/uv.txt"
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$1/uv.txt" ||
    fail "uv cannot be installed; is the Python package registry reachable?"
}

packages_failed="the packages cannot be installed; see above"

set_up_checkout() {
  if ! usable .venv/bin/python || [ -e .venv/$production_mark ]; then
    find_python
    echo "setup: a virtual environment in .venv, with $("$python" --version)"
    "$python" -m venv --clear .venv
  fi
  done_mark=.venv/.facegate-all-$(cat pyproject.toml uv.lock | cksum | tr ' ' -)
  [ -e "$done_mark" ] && exit 0
  echo "setup: installing the packages of uv.lock (about 400 MB the first time)"
  install_uv .venv
  # Bytecode is compiled now. Otherwise each worker process, and each test that starts a program, would compile it.
  export UV_PROJECT_ENVIRONMENT=.venv
  .venv/bin/uv sync --frozen --no-build --no-install-project --inexact --compile-bytecode &&
    .venv/bin/uv sync --frozen --no-build-isolation-package facegate --quiet || fail "$packages_failed"
  rm -f .venv/.facegate-*
  touch "$done_mark"
}

# An environment of its own has uv, and builds the wheel. It is deleted, so that nothing of it stays on the machine.
install_production() {
  folder=$1
  find_python
  mkdir -p "$(dirname "$folder")"
  # Beside the environment: uv links files there from its cache, and the folder /tmp may be in the memory.
  tools=$(mktemp -d "$folder-tools.XXXXXX")
  trap 'rm -rf "$tools"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  "$python" -m venv "$tools"
  if ! suitable "$folder/bin/python" || [ ! -e "$folder/$production_mark" ]; then
    echo "setup: a virtual environment in $folder, with $("$python" --version)"
    "$python" -m venv --clear --without-pip "$folder"
  fi
  echo "setup: installing the packages of uv.lock (about 300 MB the first time)"
  install_uv "$tools"
  # The cache of uv would take as much space as the environment.
  export UV_CACHE_DIR="${UV_CACHE_DIR:-$tools/cache}"
  for each in ${EXTRAS:-}; do set -- "$@" --extra "$each"; done
  shift
  UV_PROJECT_ENVIRONMENT=$tools "$tools/bin/uv" sync --frozen --no-build --quiet --inexact \
    --only-group models --only-group build &&
    PYTHONDONTWRITEBYTECODE=1 "$tools/bin/python" -m hatchling build --target wheel --directory "$tools/dist" &&
    UV_PROJECT_ENVIRONMENT=$folder "$tools/bin/uv" sync --frozen --no-build --no-install-project --no-default-groups \
      --inexact --compile-bytecode --quiet "$@" &&
    "$tools/bin/uv" pip install --python "$folder/bin/python" --no-deps --no-index --reinstall --compile-bytecode \
      --quiet "$tools"/dist/*.whl || fail "$packages_failed"
  "$python" scripts/trim_installation.py "$folder"
  touch "$folder/$production_mark"
}

# An environment without pip and uv, which has Facegate as a wheel.
production_mark=.facegate-production
case ${1:-} in
  production) target=install; install_production "${2:-$PWD/.venv}" ;;
  service) target=install-service; install_production "$2" ;;
  "") target=setup; set_up_checkout ;;
  *) fail "expected \`production\`, \`service\` or nothing, not $1" ;;
esac
echo "setup: done"
