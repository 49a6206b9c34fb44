#!/usr/bin/env bash
# Boots a Debian of its own in a virtual machine and tests there what no namespace can have: the packages as dpkg installs
# them, the unit under systemd, a wall clock that is set, a host that sleeps. Takes some minutes and 3 GiB of disk; needs root,
# qemu-system-x86 and debootstrap.
#
#   tests/vm/run.sh [RELEASE [DIRECTORY]]      (bookworm; its packages are built unless DIRECTORY has them: packaging/release.sh)
set -euo pipefail
cd "$(dirname "$0")/../.."
release=${1:-bookworm}
packages=${2:-}
if [ -z "$packages" ]; then
  mkdir -p build
  echo "run.sh: building the packages of $release (log: build/vm-packages.log)"
  packaging/in_root.sh "$release" "build/roots/$release-amd64" --bind "$PWD" /src -- \
    sh -c 'cd /src && packaging/dependencies.sh package && packaging/build_deb.sh' > build/vm-packages.log 2>&1
  packages=build/deb
fi
exec /usr/bin/python3 tests/vm/machine.py "$release" "$packages"
