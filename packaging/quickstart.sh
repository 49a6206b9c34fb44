#!/usr/bin/env bash
# From a clone to a running exporter with one command (Debian 12 or 13, as root):
#
#   packaging/quickstart.sh                   in a small network of namespaces with four equal-cost paths
#   packaging/quickstart.sh --no-lab CONFIG   in the real network, on a configuration of yours
#
# --port N: serve at another port of 127.0.0.1 than 10815 (with the lab only).
# Runs until Ctrl-C, and then takes down all that it made. The network of this machine is not touched: the exporter's
# port is served from inside the lab by a forwarder, without any interface, address or rule out here.
set -uo pipefail
set -m # every child is the leader of a process group: what it starts (a compiler) ends with it
caller=$PWD # what CONFIG is relative to
cd "$(dirname "$0")/.." || exit 1

port=10815
config=configs/quickstart.toml
lab=yes
exporter=build/release/src/ecmp_exporter
name=ecmpquick$$
log=build/quickstart-build.log

say() { echo "quickstart: $*"; }
fail() {
  echo "quickstart: $*" >&2
  exit 1
}
usage() {
  echo "usage: packaging/quickstart.sh [--port N] | --no-lab CONFIG" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --no-lab)
      [ $# -ge 2 ] || usage
      lab=no config=$2
      [[ $config = /* ]] || config=$caller/$config
      shift 2
      ;;
    --port)
      [ $# -ge 2 ] && [[ $2 =~ ^[1-9][0-9]{0,4}$ ]] && [ "$2" -le 65535 ] || usage
      port=$2
      shift 2
      ;;
    *) usage ;;
  esac
done

[ "$(id -u)" = 0 ] || fail "must be run as root: it installs packages, makes network namespaces and opens raw sockets"
[ -f "$config" ] && [ -r "$config" ] || fail "cannot read $config"

children=() # in the order of their start
lab_made=no

# A child runs in the background and is waited for: so a signal is acted on at once, not after the child's end.
start() {
  "$@" &
  child=$!
  children+=("$child")
}
step() {
  start "$@"
  wait "$child"
}

clean_up() {
  local status=$? number
  trap '' INT TERM HUP
  trap - EXIT
  for ((number = ${#children[@]} - 1; number >= 0; number--)); do
    end_child "${children[number]}"
  done
  if [ $lab_made = yes ]; then
    /usr/bin/python3 tests/e2e/lab.py --name "$name" down || status=1
    say "the lab is taken down"
  fi
  exit "$status"
}

end_child() {
  local turn
  kill -TERM -- "-$1" 2> /dev/null || return
  for ((turn = 0; turn < 50; turn++)); do
    kill -0 -- "-$1" 2> /dev/null || break
    sleep 0.1
  done
  kill -KILL -- "-$1" 2> /dev/null
  wait "$1" 2> /dev/null
}

trap clean_up EXIT
trap 'exit 0' INT TERM
trap 'exit 129' HUP

# While child $1 builds: how far it is, on a terminal in one line, otherwise in a line now and then.
show_progress() {
  local shown='' now turn=0 pause=1
  [ -t 1 ] || pause=10
  while kill -0 "$1" 2> /dev/null; do
    now=$(tail -c 2000 "$log" | grep -o '^\[[0-9]*/[0-9]*\]' | tail -n 1)
    if [ -n "$now" ] && [ "$now" != "$shown" ] && [ $((turn % pause)) = 0 ]; then
      if [ -t 1 ]; then printf '\rquickstart: built %s ' "$now"; else say "built $now"; fi
      shown=$now
    fi
    turn=$((turn + 1))
    sleep 1
  done
  if [ -t 1 ] && [ -n "$shown" ]; then echo; fi
}

build_failed() {
  tail -n 30 "$log" >&2
  fail "the build failed"
}

build() {
  say "building a release (some minutes at the first time; log: $log)"
  mkdir -p build
  step cmake --preset release < /dev/null > "$log" 2>&1 || build_failed
  start cmake --build --preset release < /dev/null >> "$log" 2>&1
  show_progress "$child"
  wait "$child" || build_failed
  [ -x "$exporter" ] || fail "the build made no $exporter"
}

# Before anything is made: whether our port is free, so that a second quickstart says so at once.
port_is_free() {
  /usr/bin/python3 - "$port" << 'PYTHON'
import socket
import sys
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", int(sys.argv[1])))
    except OSError:
        sys.exit(1)
PYTHON
}

# Waits until the command $1 succeeds; gives up when one of our children $2 ... ends.
wait_until() {
  local turn pid
  for ((turn = 0; turn < 300; turn++)); do
    for pid in "${@:2}"; do
      kill -0 "$pid" 2> /dev/null || return 1
    done
    "$1" && return 0
    sleep 0.1
  done
  return 1
}
get() { curl --silent --max-time 2 --noproxy '*' --output /dev/null "$@"; }
is_ready() { get --fail "http://127.0.0.1:$port/-/ready"; }

# The first of the listen addresses of the configuration.
listen_address() {
  /usr/bin/python3 - "$config" << 'PYTHON'
import sys
import tomllib
with open(sys.argv[1], "rb") as file:
    address = tomllib.load(file).get("web", {}).get("listen_addresses", [":10815"])[0]
if not address.startswith("unix:"):
    host, _, port = address.rpartition(":")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    address = f"{host}:{port}"
print(address)
PYTHON
}

# Whether anything answers at $listening, with TLS or without; a refusal for want of a password is an answer, too. Sets
# `served`.
listening='' served=''
answers() {
  local socket=${listening#unix:}
  if [[ $listening = unix:* ]]; then
    served="curl --unix-socket $socket http://localhost"
    get --unix-socket "$socket" http://localhost/-/healthy
  elif [[ $listening = *:0 ]]; then
    served="http://${listening%:0}:(the port in the log)"
  elif get --insecure "https://$listening/-/healthy"; then
    served="https://$listening"
  else
    served="http://$listening"
    get "$served/-/healthy"
  fi
}

tell() {
  cat << EOT

  page      $1/
  metrics   $1/metrics
  paths     $1/paths

Ctrl-C ends it.
EOT
}

say "installing what is missing"
step packaging/dependencies.sh build run || fail "the dependencies are not there"

if [ $lab = no ]; then
  build
  "$exporter" --config.file="$config" --config.check || exit 1
  start "$exporter" --config.file="$config"
  running=$child
  listening=$(listen_address) && wait_until answers "$running" || fail "the exporter does not answer at the first of its listen_addresses"
  tell "$served"
  wait "$running"
  exit $?
fi

port_is_free || fail "127.0.0.1:$port is in use (another quickstart?); choose another one with --port"
build
say "making the lab: a namespace for the exporter, two routers, four branches between them, a destination"
lab_made=yes
/usr/bin/python3 tests/e2e/lab.py --name "$name" up --width 4 --icmp kernel > /dev/null || fail "the lab could not be made"
start nsenter --net="/run/netns/$name-agent" -- "$exporter" --config.file="$config" \
  --web.listen-address="127.0.0.1:$port"
running=$child
start /usr/bin/python3 tests/e2e/lab.py --name "$name" forward --listen "127.0.0.1:$port" --to "127.0.0.1:$port" \
  > /dev/null
forwarder=$child
wait_until is_ready "$running" "$forwarder" || fail "the exporter did not become ready"
tell "http://127.0.0.1:$port"
echo "Break something:  tests/e2e/lab.py --name $name fault lose b1-2 0.1   (docs/lab.md)"
wait "$running"
status=$?
fail "the exporter ended by itself with status $status"
