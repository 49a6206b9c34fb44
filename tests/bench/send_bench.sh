#!/bin/sh
# Costs of sending and capturing, over a veth whose peer drops at its ingress (so that no receive path is counted), and
# the agreement of RTTs over another veth whose peer answers. Usage: send_bench.sh PATH-TO-send_bench [ARGUMENTS...]
set -eu
here=send-bench-$$
there=$here-peer
cleanup() {
  ip netns del "$here" 2>/dev/null || true
  ip netns del "$there" 2>/dev/null || true
}
trap cleanup EXIT INT TERM
ip netns add "$here"
ip netns add "$there"
for n in 0 1; do
  ip -n "$here" link add "v$n" type veth peer name "p$n" netns "$there"
  ip -n "$here" addr add "10.0.$n.1/24" dev "v$n"
  ip -n "$there" addr add "10.0.$n.2/24" dev "p$n"
  ip -n "$here" link set "v$n" up
  ip -n "$there" link set "p$n" up
done
ip -n "$here" link set lo up
ip netns exec "$there" nft -f - <<EOF
table netdev drops {
  chain ingress { type filter hook ingress device p0 priority 0; policy drop; }
}
EOF
mac=$(ip -n "$there" -br link show p0 | awk '{print $3}')
ip -n "$here" neigh replace 10.0.0.2 lladdr "$mac" nud permanent dev v0
ip -n "$here" route add 10.9.0.0/16 via 10.0.0.2
ip netns exec "$here" "$@"
