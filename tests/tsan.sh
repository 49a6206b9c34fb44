#!/usr/bin/env bash
# Builds the exporter, its terminal tools and the tests that have threads with the thread sanitizer, and runs them and the
# end-to-end lab: tests/tsan.sh [NAME...], a NAME being one of tests/e2e/test_NAME.py. Exit code 1 if the sanitizer has
# anything to say. The sanitizer makes a program some ten times slower, so a test of the lab that is about time may fail
# without meaning anything: those are listed, and do not count.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p build
log=build/tsan.log
if ! { cmake --preset tsan &&
  cmake --build --preset tsan --target ecmp_exporter ecmp_trace unit_tests net_tests; } > "$log" 2>&1; then
  tail -n 40 "$log"
  echo "tests/tsan.sh: the build failed (log: $log)" >&2
  exit 1
fi

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  names=(paths auto faults own_faults pacing trace http abuse formats terminal probe quotes localisation web_config reload
    trace_command page)
fi

build=$PWD/build/tsan
reports=$build/reports
rm -rf "$reports"
mkdir -p "$reports"
chmod 1777 "$reports" # an exporter that has become another user writes here too
export TSAN_OPTIONS="log_path=$reports/report second_deadlock_stack=1 history_size=4 handle_segv=0 suppressions=$PWD/tests/tsan.supp"
export ECMP_BUILD_DIRECTORY=$build ECMP_CORE_LIBRARY=$build/src/libcore.a
export ECMP_EXPORTER=$build/src/ecmp_exporter ECMP_TRACE=$build/src/ecmp_trace

outcome() { # what it is called, and its command
  local name=$1
  shift
  if "$@" > "$reports/../$name.tsan.log" 2>&1; then
    echo "$name: passed"
  else
    echo "$name: failed (log: build/tsan/$name.tsan.log)"
  fi
}
outcome unit "$build/tests/unit_tests" "[agent],[http],[net],[tls],[resolver],[name_cache],[one_off]"
outcome net "$build/tests/net_tests"
for name in "${names[@]}"; do
  outcome "$name" /usr/bin/python3 tests/run_pytest.py "tests/e2e/test_$name.py"
done

found=$(find "$reports" -type f -size +0)
if [ -n "$found" ]; then
  head -n 60 $found
  echo "tests/tsan.sh: reports of the thread sanitizer: $found" >&2
  exit 1
fi
echo "no report of the thread sanitizer"
