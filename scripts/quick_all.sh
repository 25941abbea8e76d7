#!/bin/sh
# Runs the quick tests on the oldest and on the newest supported Python, each in a virtual environment in .venvs/.
# A Python that is not installed, or that cannot get the packages of uv.lock, is skipped with a notice.
set -eu
cd "$(dirname "$0")/.."

skip() { printf 'quick-all: Python 3.%s is SKIPPED: %s\n' "$1" "$2"; }

# Prints the path of Python 3.<minor>. A shim of pyenv may be on the PATH although it starts nothing.
find_python() {
  for python in "python3.$1" "${HOME:-}/.local/share/uv/python/cpython-3.$1".*/bin/python3 \
    "${HOME:-}/.pyenv/versions/3.$1".*/bin/python3; do
    "$python" -c "import sys; sys.exit(sys.version_info[:2] != (3, $1))" 2>/dev/null && command -v "$python" && return
  done
  return 1
}

failed=
for minor in 10 13; do
  if ! python=$(find_python $minor); then
    skip $minor "it is not installed"
    continue
  fi
  environment=.venvs/3.$minor
  if ! UV_PROJECT_ENVIRONMENT=$environment .venv/bin/uv sync --quiet --frozen --compile-bytecode --python "$python"; then
    skip $minor "the packages of uv.lock cannot be installed; see above"
    continue
  fi
  echo "quick-all: the quick tests on $("$environment/bin/python" --version)"
  "$environment/bin/python" -m pytest -q -p no:cacheprovider -n 2 --dist loadscope --no-loadscope-reorder -m "not slow" "$@" ||
    failed="$failed 3.$minor"
done
[ -z "$failed" ] || { echo "quick-all: tests FAILED on Python$failed" >&2; exit 1; }
