#!/bin/sh
# Builds the container image localhost/facegate with docker, podman or buildah, whichever is installed first.
# Arguments go to the build, as --platform linux/arm64. CONTAINER_TOOL=podman chooses the program.
set -eu
cd "$(dirname "$0")/.."

for tool in ${CONTAINER_TOOL:-docker podman buildah}; do
  command -v "$tool" >/dev/null && break
  tool=
done
[ -n "$tool" ] || { echo "build_container: install docker, podman or buildah first" >&2; exit 1; }

# The default format of podman and buildah has no health check.
case $tool in *docker) format= ;; *) format="--format docker" ;; esac
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' gateway/__init__.py)
exec "$tool" build $format --file Containerfile --build-arg "VERSION=$version" \
  --tag localhost/facegate:latest --tag "localhost/facegate:$version" "$@" .
