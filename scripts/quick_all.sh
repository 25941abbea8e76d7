#!/bin/sh
# Runs the quick tests on the oldest and on the newest supported Python, each in a virtual environment in .venvs/.
# A Python that is not installed, or that cannot get the packages of uv.lock, is skipped with a notice.
set -eu
cd "$(dirname "$0")/.."

skip() { printf 'quick-all: Python 3.%s is SKIPPED: %s\n' "$1" "$2"; }

failed=
for minor in 10 13; do
  if ! python=$(scripts/find_python.sh $minor); then
    skip $minor "it is not installed"
    continue
  fi
  environment=.venvs/3.$minor
  if ! UV_PROJECT_ENVIRONMENT=$environment .venv/bin/uv sync --quiet --frozen --compile-bytecode --python "$python"; then
    skip $minor "the packages of uv.lock cannot be installed; see above"
    continue
  fi
  echo "quick-all: the quick tests on $("$environment/bin/python" --version)"
  "$environment/bin/python" -m pytest -q -p no:cacheprovider -n 2 --dist loadscope --no-loadscope-reorder -m "not slow and not extra" "$@" ||
    failed="$failed 3.$minor"
done
[ -z "$failed" ] || { echo "quick-all: tests FAILED on Python$failed" >&2; exit 1; }
