#!/usr/bin/env bash
# Builds the bench preset and measures: tests/bench/run.sh [core] [tun] [lab] [rtt] [model] [render] [localisation] [memory]
# [scrape] [abuse] [mesh] [OPTIONS], all if none is named. Needs root for all but core, model, render and localisation: it makes
# network namespaces of its own, and removes them. See docs/performance.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

mkdir -p build
log=build/bench.log
if ! { cmake --preset bench && cmake --build --preset bench --target bench_programs; } > "$log" 2>&1; then
  tail -n 40 "$log"
  exit 1
fi
exec /usr/bin/python3 tests/bench/bench.py "$@"
