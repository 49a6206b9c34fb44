#!/usr/bin/env bash
# Programs of others that tests compare with and that Debian does not have, into build/peers: the tests find them there, and
# are skipped with a reason where they are not.
#
#   tests/peers.sh [prometheus | helm | stamp-suite | scapy | chdb]...      (all)
#
#   prometheus    3.x and its promtool, as prometheus3 and promtool3 (Debian 12 has 2.42 and Debian 13 2.53). Without the
#                 web pages and the discovery of other systems, which no test asks for
#   helm          lints and renders the chart
#   stamp-suite   a STAMP sender and reflector
#   scapy         decodes STAMP; Debian's has no extensions of it
#   chdb          ClickHouse as a library: the example for it is run there
#
# Needs go (1.26 or later), cargo (rustc 1.86 or later) or python3 with pip, and the network. ECMP_PROMETHEUS_3 names another
# Prometheus 3 in place of the one here.
set -euo pipefail
cd "$(dirname "$0")/.."
exec < /dev/null

peers=$PWD/build/peers
mkdir -p "$peers/bin" "$peers/python" "$peers/go"
[ $# -gt 0 ] || set -- prometheus helm stamp-suite scapy chdb

say() { echo "peers.sh: $*"; }

# Programs of one Go module of a version, by a module of its own: some have replacements that `go install` refuses.
build_go() {
  local module=$1 version=$2 tags=$3 flags=$4 directory
  shift 4
  directory=$(mktemp -d "$peers/go/module.XXXXXX")
  (
    cd "$directory"
    export GOPATH=$peers/go/path GOFLAGS=-mod=mod
    go mod init peers
    go get "$module@$version"
    while [ $# -gt 0 ]; do
      go build -tags "$tags" -ldflags "$flags" -o "$peers/bin/$2" "$module/$1"
      shift 2
    done
  )
  rm -rf "$directory"
}

for peer in "$@"; do
  say "$peer"
  case $peer in
    prometheus)
      build_go github.com/prometheus/prometheus v0.316.0 remove_all_sd,enable_file_sd \
        "-X github.com/prometheus/common/version.Version=3.16.0" cmd/prometheus prometheus3 cmd/promtool promtool3
      ;;
    helm) build_go helm.sh/helm/v3 latest "" "" cmd/helm helm ;;
    stamp-suite) cargo install stamp-suite --locked --root "$peers" ;;
    scapy) python3 -m pip install --quiet --no-deps --upgrade --target "$peers/python" scapy==2.8.0 ;;
    chdb) python3 -m pip install --quiet --upgrade --target "$peers/python" chdb ;;
    *)
      sed -n '5s/^# *//p' "$0" >&2
      exit 2
      ;;
  esac
done
ls "$peers/bin" "$peers/python"
