#!/usr/bin/env bash
# Boots a Debian 12 of its own in a virtual machine and tests there what no namespace can have: the unit under systemd, a
# wall clock that is set, a host that sleeps. Takes some minutes and 2 GiB of disk; needs root,
# qemu-system-x86 and debootstrap. tests/vm/run.sh [BUILD_DIRECTORY], build/dev if none is named.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec /usr/bin/python3 tests/vm/machine.py "${1:-build/dev}"
