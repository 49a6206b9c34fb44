#!/usr/bin/env bash
# Builds the libFuzzer targets (address and undefined-behaviour sanitizers) and runs each for SECONDS of time from its
# corpus: tests/fuzz/run.sh SECONDS [TARGET...], a target being packet, codec, engine, config, ... (default: all).
# New inputs are kept in build/fuzz/corpus/, what fails in build/fuzz/found/; exit code 1 if anything does.
# --merge instead of SECONDS: takes those of build/fuzz/corpus/ that reach something new into tests/fuzz/corpus/.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
  echo "usage: tests/fuzz/run.sh SECONDS|--merge [TARGET...]" >&2
  exit 2
}
[ $# -ge 1 ] || usage
seconds=$1
shift
[ "$seconds" = --merge ] || [[ $seconds =~ ^[1-9][0-9]*$ ]] || usage

if ! command -v clang++-19 > /dev/null; then
  echo "tests/fuzz/run.sh: clang++-19 is not installed" >&2
  exit 77 # to ctest: skipped
fi
mkdir -p build
if ! { cmake --preset fuzz && cmake --build --preset fuzz; } > build/fuzz.log 2>&1; then
  tail -n 40 build/fuzz.log
  echo "tests/fuzz/run.sh: the build failed (log: build/fuzz.log)" >&2
  exit 1
fi

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for program in build/fuzz/tests/fuzz/*_fuzz; do
    name=$(basename "$program" _fuzz)
    targets+=("$name")
  done
fi

# Leaks are told too: a parser that forgets a block per request is a leak in an agent that runs for a year.
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
status=0
for name in "${targets[@]}"; do
  program=build/fuzz/tests/fuzz/${name}_fuzz
  [ -x "$program" ] || { echo "tests/fuzz/run.sh: there is no target $name" >&2; exit 2; }
  mkdir -p "build/fuzz/corpus/$name" build/fuzz/found "tests/fuzz/corpus/$name"
  if [ "$seconds" = --merge ]; then
    "$program" -merge=1 -verbosity=0 "tests/fuzz/corpus/$name" "build/fuzz/corpus/$name"
    continue
  fi
  log=build/fuzz/$name.log
  if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
    -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" > "$log" 2>&1; then
    printf '%-10s %s\n' "$name" "$(grep -E '^Done [0-9]+ runs' "$log" | tail -n 1), no finding"
  else
    status=1
    printf '%-10s FAILED\n' "$name"
    tail -n 40 "$log"
  fi
done
exit $status
