#!/usr/bin/env bash
# README's two commands on a Debian with nothing but what is essential, from the last commit of this tree, for each release:
#
#   tests/distributions.sh [--keep] [--ccache DIRECTORY] [--only PATTERN] [RELEASE...]      (bookworm trixie)
#
# packaging/quickstart.sh has to install, build, make its lab and show all four paths of it, and to take all down at SIGINT.
# tests/run.sh has to pass; --only is its -R. Without --ccache nothing that was compiled before is used. Each step's time is
# reported; logs stand in build/distributions/. --keep leaves the roots there (4 GB each).
# Needs root, debootstrap, git and a network. Exit code 77 if there can be no root.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
exec < /dev/null

top=$PWD/build/distributions
keep=no
ccache=
only=
releases=()
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes ;;
    --ccache) ccache=$2 && shift ;;
    --only) only=$2 && shift ;;
    -*)
      sed -n '2,4s/^# \?//p' "$0" >&2
      exit 2
      ;;
    *) releases+=("$1") ;;
  esac
  shift
done
[ ${#releases[@]} -gt 0 ] || releases=(bookworm trixie)

report=()
say() { echo "distributions.sh: $*"; }
took() { printf '%d min %02d s' $((($2 - $1) / 60)) $((($2 - $1) % 60)); }

inside() {
  local binds=()
  if [ -n "$ccache" ]; then
    mkdir -p "$ccache"
    binds=(--bind "$ccache" /root/.cache/ccache)
  fi
  packaging/in_root.sh "$release" "$root" "${binds[@]}" -- "$@"
}

# One step of a release: its name, a time limit in minutes, then the command. Its time and end go into the report.
step() {
  local name=$1 minutes=$2 began=$SECONDS status log=$top/$release.$1.log
  shift 2
  say "$release: $name (log: $log)"
  inside timeout --signal=INT --kill-after=60 "$((minutes * 60))" "$@" > "$log" 2>&1
  status=$?
  if [ $status = 0 ]; then
    report+=("$release: $name passed in $(took $began $SECONDS)")
  else
    report+=("$release: $name FAILED with status $status after $(took $began $SECONDS)")
    tail -n 40 "$log"
    failed=yes
  fi
  say "${report[-1]}"
  return $status
}

# Runs inside the root. The lab's four branches make four paths; then a SIGINT, as Ctrl-C sends it to the whole group.
quickstart='
cd /src || exit 1
set -m
packaging/quickstart.sh --port 20815 &
shown=no
while kill -0 $! 2> /dev/null; do
  paths=$(curl --silent --max-time 5 --noproxy "*" http://127.0.0.1:20815/metrics 2> /dev/null |
    grep "^ecmp_path_probes_total{destination=\"lab-udp\"" | wc -l)
  if [ "$paths" -ge 4 ]; then shown=yes; break; fi
  sleep 1
done
[ $shown = yes ] || { echo "it ended before four paths were seen"; exit 1; }
echo "four paths are seen"
kill -INT -- -$!
wait $! || { echo "it ended with status $?"; exit 1; }
[ -z "$(ls /run/netns)" ] || { echo "it left $(ls /run/netns)"; exit 1; }
'

mkdir -p "$top"
[ -z "$(git status --porcelain)" ] || say "what is not committed takes no part"
failed=no
for release in "${releases[@]}"; do
  root=$top/$release
  rm -rf --one-file-system "$root"
  inside true
  case $? in
    0) ;;
    77) exit 77 ;;
    *)
      say "$release: the root does not work"
      exit 1
      ;;
  esac
  git clone --quiet --no-local --depth 1 "file://$PWD" "$root/src" || exit 1
  step quickstart 60 bash -c "$quickstart"
  step tests 150 bash -c 'cd /src && tests/run.sh ${1:+-R "$1"}' bash "$only"
  if [ $keep = no ]; then rm -rf --one-file-system "$root"; fi
done
printf '%s\n' "${report[@]}" | tee "$top/report"
[ $failed = no ]
