#!/usr/bin/env bash
# Runs a command in a Debian of some release, as root, in mounts and processes of its own:
#
#   packaging/in_root.sh RELEASE DIRECTORY [--bind FROM TO]... -- COMMAND...
#
# DIRECTORY is made by debootstrap where it is not there yet, with what is essential and nothing else. /proc, /sys and /dev are
# this machine's, the network too; /run and /tmp are empty. FROM is seen at TO inside. What the command leaves running ends with
# it. Packages come from ECMP_MIRROR (default http://deb.debian.org/debian). Exit code: the command's; 77 if there can be no root.
set -euo pipefail

fail() {
  echo "in_root.sh: $*" >&2
  exit 77
}

[ $# -ge 4 ] || fail "usage: packaging/in_root.sh RELEASE DIRECTORY [--bind FROM TO]... -- COMMAND..."
release=$1 directory=$2
shift 2
binds=()
while [ "$1" = --bind ]; do
  [ -e "$2" ] || fail "$2 is not there"
  binds+=("$(realpath "$2")" "$3")
  shift 3
done
[ "$1" = -- ] || fail "no -- before the command"
shift

export PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" = 0 ] || fail "not root"
for tool in debootstrap unshare; do
  command -v $tool > /dev/null || fail "$tool is not installed"
done

if [ ! -e "$directory/etc/debian_version" ]; then
  mirror=${ECMP_MIRROR:-http://deb.debian.org/debian}
  mkdir -p "$(dirname "$directory")"
  rm -rf --one-file-system "$directory.partial"
  debootstrap --variant=minbase "$release" "$directory.partial" "$mirror" > "$directory.log" 2>&1 ||
    fail "debootstrap could not make a root, see $directory.log"
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
