#!/usr/bin/env bash
# Cross-compiles everything for arm64 in a Debian of its own and runs it there: unit tests and simulations under qemu-user; and
# under qemu-system-aarch64, on Debian's arm64 kernel, what qemu-user cannot do: tests of the filter and of privileges, and the
# exporter's life with packet sockets under --sandbox=kill (tests/vm/arm64.py).
#
#   tests/arm64.sh [RELEASE]      (bookworm)
#
# Roots, builds and logs stand in build/arm64-RELEASE/ and stay there. Needs root, debootstrap and a network.
set -euo pipefail
cd "$(dirname "$0")/.."
exec < /dev/null
release=${1:-bookworm}
top=$PWD/build/arm64-$release
mkdir -p "$top/build" "$top/ccache"

# qemu-user installs no filter, has a thread of its own and /proc of the machine it runs on.
kernel='^unit:(under the filter|what an intruder|arguments that are not ours|a call that is not on the list|privileges are given|while there is another thread|this process can be read)'

# shellcheck disable=SC2016
exec packaging/in_root.sh "$release" "$top/root" --bind "$PWD" /src --bind "$top/build" /src/build \
  --bind "$top/ccache" /root/.cache/ccache -- bash -euc '
  cd /src
  packaging/dependencies.sh cross
  cmake --preset arm64 > build/arm64.log
  cmake --build --preset arm64 --target test_programs >> build/arm64.log || { tail -n 40 build/arm64.log; exit 1; }
  status=0
  ctest --preset arm64 --parallel "$(nproc)" --label-regex "^(unit|sim)$" --exclude-regex "$1" || status=1
  /usr/bin/python3 tests/vm/arm64.py build/arm64 build/machine || status=1
  exit $status
' arm64.sh "$kernel"
