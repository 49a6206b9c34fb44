#!/usr/bin/env bash
# Installs what a build needs, builds what is shipped into build/release/ and installs it under DESTINATION:
#   packaging/build_release.sh [DESTINATION]      (default: /usr/local)
# The Dockerfile runs this and nothing else, so that what the tests try is what an image is made of.
set -euo pipefail
cd "$(dirname "$0")/.."
destination=${1:-/usr/local}

packaging/dependencies.sh build
cmake --preset release
cmake --build --preset release
cmake --install build/release --prefix "$destination" --strip
