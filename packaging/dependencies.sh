#!/usr/bin/env bash
# The one list of the packages of Debian 12 and 13 that this project needs. Installs those that are missing:
#   packaging/dependencies.sh [--list] build | run | runtime | package | test | cross
# build: to compile. run: for the quickstart's lab. runtime: the libraries alone, for an image. package: for the Debian
# packages. test: all of these. cross: to build for arm64 on amd64, packages as well, and to run that under qemu-user; in a
# root of its own (packaging/in_root.sh), since some of these take the place of amd64's. --list KIND... prints the names for the release of this machine, and installs nothing.
# A second run finds everything there, asks nobody and needs neither root nor a network.
set -euo pipefail

build_packages=(
  g++ cmake ninja-build pkgconf git ca-certificates ccache mold
  libfmt-dev libspdlog-dev libcli11-dev nlohmann-json3-dev prometheus-cpp-dev libcpp-httplib-dev libtomlplusplus-dev
  libpcap-dev libc-ares-dev zlib1g-dev libzstd-dev libssl-dev libcrypt-dev libyaml-cpp-dev
  libmaxminddb-dev
  libidn2-dev
  libbrotli-dev # what the pkg-config file of libcpp-httplib-dev asks for
)
# The program links its libraries dynamically; the -dev packages bring them. What is here is for the lab around it.
run_packages=(iproute2 nftables ethtool util-linux procps python3 curl)
# Shared libraries of the programs; a test compares the list with what they are linked to. Their names hold versions.
release=$(. /etc/os-release 2> /dev/null && echo "${VERSION_CODENAME:-}")
case $release in
  trixie)
    libraries=(libcares2 libcpp-httplib0.18 libfmt10 libpcap0.8t64 libspdlog1.15 libssl3t64 libtomlplusplus3t64 libyaml-cpp0.8)
    ;;
  *)
    libraries=(libc-ares2 libcpp-httplib0.11 libfmt9 libpcap0.8 libspdlog1.10 libssl3 libtomlplusplus3 libyaml-cpp0.7)
    ;;
esac
runtime_packages=(
  "${libraries[@]}" libcrypt1 libidn2-0 libmaxminddb0 libprometheus-cpp-core1.0 libzstd1 zlib1g
  libcap2-bin ca-certificates
)
package_packages=(build-essential dpkg-dev debhelper fakeroot lintian libcrypt-dev libyaml-cpp-dev)
test_packages=(
  catch2 binutils libcap2-bin
  python3-pytest python3-jsonschema tcpdump scamper prometheus prometheus-alertmanager jsonnet openssl protobuf-compiler iputils-ping
  chromium fonts-dejavu-core # who looks at the page
  mtr-tiny tmux # what ecmp_trace is compared with, and driven in
  man-db mandoc zsh fish # readers of its manual and completions
  graphviz # what draws its diagrams
  mmdb-bin # who reads the databases of addresses that tests write
  valgrind # counts instructions
  clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev shellcheck
  man-db systemd debootstrap python3-yaml
)
# What is compiled against is arm64's, what compiles is ours.
cross_packages=(
  crossbuild-essential-arm64 cmake ninja-build pkgconf git ca-certificates ccache
  libfmt-dev:arm64 libspdlog-dev:arm64 prometheus-cpp-dev:arm64 libcpp-httplib-dev:arm64 libtomlplusplus-dev:arm64
  libpcap-dev:arm64 libc-ares-dev:arm64 zlib1g-dev:arm64 libzstd-dev:arm64 libssl-dev:arm64 libcrypt-dev:arm64
  libyaml-cpp-dev:arm64 libidn2-dev:arm64 libmaxminddb-dev:arm64 libbrotli-dev:arm64 libcli11-dev nlohmann-json3-dev
  build-essential dpkg-dev debhelper fakeroot lintian
  python3 qemu-system-arm cpio openssl # who tries the exporter there
)
case $release in
  trixie) cross_packages+=(libcatch2-dev:arm64 qemu-user) ;;
  *) cross_packages+=(catch2:arm64 qemu-user-static) ;;
esac

usage() {
  echo "usage: packaging/dependencies.sh [--list] build|run|runtime|package|test|cross..." >&2
  exit 2
}

# Installing a package of a service (prometheus) would start it. Debian asks policy-rc.d first, where there is one.
forbid_services() {
  [ -e /usr/sbin/policy-rc.d ] && return
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

apt() {
  local attempt
  for attempt in 1 2 3; do
    # Not over a pseudo-terminal, which a bare root may not have.
    if DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null; then
      return 0
    fi
    echo "dependencies.sh: apt-get $1 failed (attempt $attempt of 3)" >&2
    sleep $((attempt * 2))
  done
  return 1
}

# Of several architectures each has its word.
installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) = installed* ]]; }

wanted=()
list=no
if [ "${1:-}" = --list ]; then
  list=yes
  shift
fi
[ $# -gt 0 ] || usage
for kind in "$@"; do
  case $kind in
    build) wanted+=("${build_packages[@]}") ;;
    run) wanted+=("${run_packages[@]}") ;;
    runtime) wanted+=("${runtime_packages[@]}") ;;
    package) wanted+=("${build_packages[@]}" "${package_packages[@]}") ;;
    test) wanted+=("${build_packages[@]}" "${run_packages[@]}" "${package_packages[@]}" "${test_packages[@]}") ;;
    cross) wanted+=("${cross_packages[@]}") ;;
    *) usage ;;
  esac
done

if [ $list = yes ]; then
  printf '%s\n' "${wanted[@]}" | sort --unique
  exit 0
fi
if ! command -v dpkg-query > /dev/null; then
  echo "dependencies.sh: this is not a Debian system; install by hand: ${wanted[*]}" >&2
  exit 1
fi

missing=()
for package in "${wanted[@]}"; do
  installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "dependencies.sh: not root, cannot install: ${missing[*]}" >&2
  exit 1
fi
echo "dependencies.sh: installing ${missing[*]}"
new_services=() # nor shall they start at the next boot: the tests start their own
for service in prometheus prometheus-alertmanager; do
  installed "$service" || new_services+=("$service")
done
forbid_services
if [[ " ${missing[*]} " == *:arm64\ * ]]; then dpkg --add-architecture arm64; fi
apt update
apt install --yes --no-install-recommends "${missing[@]}" > /dev/null
for service in "${new_services[@]}"; do
  if installed "$service" && command -v systemctl > /dev/null; then
    systemctl disable "$service" > /dev/null 2>&1 || true
  fi
done
