#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every test under one ctest, whose summary is the last output: unit, sim
# and golden tests, the same once more with address and undefined-behaviour sanitizers, tidy tests, and the end-to-end
# tests in network namespaces. Those that cannot run here (no root, a tool missing) are reported as skipped.
# ECMP_PACKAGES=1 tests/run.sh also builds the Debian packages, and installs and purges them on a bare root.
# ECMP_TIDY_ALL=1 has clang-tidy look at every file, with all its checks: a quarter of an hour more.
set -euo pipefail
cd "$(dirname "$0")/.."
exec < /dev/null

jobs=$(nproc)

say() { echo "run.sh: $*"; }

# Output of a build is shown when it fails; warnings are errors, so a good one has nothing to tell.
build() {
  local log=build/$1.log
  mkdir -p build
  say "building $1 (log: $log)"
  if ! { cmake --preset "$1" && cmake --build --preset "$1" --parallel "$jobs" "${@:2}"; } > "$log" 2>&1; then
    tail -n 60 "$log"
    say "the build of $1 failed"
    exit 1
  fi
}

if ! packaging/dependencies.sh test; then
  say "some packages are missing: going on with what is there"
fi
build dev
build asan --target unit_tests sim_tests tui_tests net_tests fuzz_replay
if [ "$(id -u)" = 0 ]; then
  build release # what the quickstart runs
fi

/usr/bin/python3 tests/e2e/requirements.py
export ECMP_WITH_SANITIZERS=1
export UBSAN_OPTIONS=print_stacktrace=1
exec ctest --preset dev --parallel "$jobs"
