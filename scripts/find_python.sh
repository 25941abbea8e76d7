#!/bin/sh
# Prints the path of Python 3.<minor>: scripts/find_python.sh MINOR. Fails if it is not installed.
# A shim of pyenv may be on the PATH although it starts nothing, so each Python found is started.
for python in "python3.$1" "${HOME:-}/.local/share/uv/python/cpython-3.$1".*/bin/python3 \
  "${HOME:-}/.pyenv/versions/3.$1".*/bin/python3; do
  "$python" -c "import sys; sys.exit(sys.version_info[:2] != (3, $1))" 2>/dev/null && command -v "$python" && exit 0
done
exit 1
