#!/usr/bin/env bash
# Runs a command in a Debian of some release, as root, in mounts and processes of its own:
#
#   packaging/in_root.sh RELEASE DIRECTORY [--bind FROM TO]... -- COMMAND...
#
# DIRECTORY is made by debootstrap where it is not there yet, with what is essential and nothing else. /proc, /sys and /dev are
# this machine's, the network too; /run and /tmp are empty. FROM is seen at TO inside. What the command leaves running ends with
# it. Packages come from ECMP_MIRROR (default http://deb.debian.org/debian). Exit code: the command's; 77 if this
# user is not root or a tool is missing, 2 for a wrong command line, 1 if something else goes wrong.
set -euo pipefail

# fail EXIT_CODE MESSAGE...
fail() {
  echo "in_root.sh: ${*:2}" >&2
  exit "$1"
}

[ $# -ge 4 ] || fail 2 "usage: packaging/in_root.sh RELEASE DIRECTORY [--bind FROM TO]... -- COMMAND..."
release=$1 directory=$2
shift 2
binds=()
while [ "${1:-}" = --bind ]; do
  [ $# -ge 3 ] || fail 2 "--bind needs FROM and TO"
  [ -e "$2" ] || fail 1 "$2 is not there"
  binds+=("$(realpath "$2")" "$3")
  shift 3
done
if [ "${1:-}" != -- ] || [ $# -lt 2 ]; then fail 2 "no -- COMMAND"; fi
shift

export PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" = 0 ] || fail 77 "not root"
for tool in debootstrap unshare; do
  command -v $tool > /dev/null || fail 77 "$tool is not installed"
done

if [ ! -e "$directory/etc/debian_version" ]; then
  mirror=${ECMP_MIRROR:-http://deb.debian.org/debian}
  mkdir -p "$(dirname "$directory")"
  rm -rf --one-file-system "$directory.partial"
  debootstrap --variant=minbase "$release" "$directory.partial" "$mirror" > "$directory.log" 2>&1 ||
    fail 1 "debootstrap could not make a root, see $directory.log"
  echo "deb $mirror $release main" > "$directory.partial/etc/apt/sources.list"
  # There is no init: services of packages are not started.
  printf '#!/bin/sh\nexit 101\n' > "$directory.partial/usr/sbin/policy-rc.d"
  chmod 755 "$directory.partial/usr/sbin/policy-rc.d"
  # How this machine reaches its packages (a proxy, say), the root's apt has to know too.
  { grep -lsE '^[^/#]*Acquire::https?::' /etc/apt/apt.conf.d/* || true; } | xargs -r cp -t "$directory.partial/etc/apt/apt.conf.d"
  mv "$directory.partial" "$directory"
fi
cp -L /etc/resolv.conf "$directory/etc/resolv.conf"

# These pass through; nothing else of the environment does.
passed=()
for name in http_proxy https_proxy no_proxy SOURCE_DATE_EPOCH CCACHE_DIR TERM $(compgen -v ECMP_); do
  if [ -n "${!name:-}" ]; then passed+=("$name=${!name}"); fi
done

# shellcheck disable=SC2016
exec unshare --mount --propagation private --pid --fork --kill-child -- bash -euc '
  root=$1 count=$2
  shift 2
  # Its root is to be a mount point: what has mounts of its own in there (unshare, ip netns exec) changes their propagation.
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/run"
  mkdir -p "$root/run/lock" "$root/run/netns"
  mount -t tmpfs tmpfs "$root/tmp"
  for ((; count > 0; count -= 2)); do
    if [ -d "$1" ]; then mkdir -p "$root$2"; else touch "$root$2"; fi
    mount --bind "$1" "$root$2"
    shift 2
  done
  exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
' in_root.sh "$(realpath "$directory")" ${#binds[@]} ${binds[@]+"${binds[@]}"} ${passed[@]+"${passed[@]}"} "$@"
