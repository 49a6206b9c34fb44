#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every test under one ctest, whose summary is the last output: unit, sim
# and golden tests, the same once more with address and undefined-behaviour sanitizers, tidy tests, and the end-to-end
# tests in network namespaces. Those that cannot run here (no root, a tool missing) are reported as skipped.
#   tests/run.sh [-R PATTERN] [OPTION...]   all tests, or those whose names match; further options are ctest's (-E, -L, ...)
# Two trees are built: build/check, which is the release with its tests, and build/asan. docs/testing.md says more.
# ECMP_PACKAGES=1 tests/run.sh also builds the Debian packages, and installs and purges them on a bare root.
# ECMP_TIDY_ALL=1 has clang-tidy look at every file, with all its checks: a quarter of an hour more.
set -euo pipefail
cd "$(dirname "$0")/.."
exec < /dev/null

jobs=$(nproc)
phase_began=$SECONDS

say() { echo "run.sh: $*"; }

# The phase that ends here, and what it took. ctest reports the time of the tests.
ended() {
  say "$1 took $(((SECONDS - phase_began) / 60)) min $(((SECONDS - phase_began) % 60)) s"
  phase_began=$SECONDS
}

# Output of a build is shown when it fails; warnings are errors, so a good one has nothing to tell.
build() {
  local log=build/$1.log
  mkdir -p build
  say "building $1 (log: $log)"
  if ! { cmake --preset "$1" && cmake --build --preset "$1" --parallel "$jobs" --target test_programs; } > "$log" 2>&1; then
    tail -n 60 "$log"
    say "the build of $1 failed"
    exit 1
  fi
  ended "the build of $1"
}

if ! packaging/dependencies.sh test; then
  say "some packages are missing: going on with what is there"
fi
ended 'looking for packages'
build check
build asan

/usr/bin/python3 tests/e2e/requirements.py
export ECMP_WITH_SANITIZERS=1
export UBSAN_OPTIONS=print_stacktrace=1
# A lab test on a machine that stands still for seconds can fail for that alone: what fails is tried once more. The log
# keeps both outputs.
# One test more than there are processors: tests of the lab wait more than they compute.
exec ctest --preset check --parallel "$((jobs + 1))" --repeat until-pass:2 "$@"
