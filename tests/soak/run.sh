#!/usr/bin/env bash
# A soak of MINUTES (default 10): the lab with random faults from a seed, and everything that is told compared with them.
# tests/soak/run.sh [MINUTES] [--seed N]; it needs root and build/dev, or another program named in ECMP_EXPORTER.
set -euo pipefail
cd "$(dirname "$0")/../.."

minutes=10
if [ $# -ge 1 ] && [[ $1 != --* ]]; then
  minutes=$1
  shift
fi
if ! [[ $minutes =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: tests/soak/run.sh [MINUTES] [--seed N]" >&2
  exit 2
fi
exec /usr/bin/python3 -B tests/soak/soak.py --seconds $((minutes * 60)) "$@"
