#!/usr/bin/env bash
# Builds the Debian packages for the release that this machine is into build/deb/: packaging/build_deb.sh [ARCHITECTURE].
# What they need is in packaging/dependencies.sh package; for another architecture (arm64) in packaging/dependencies.sh cross,
# which wants a root of its own (packaging/release.sh). lintian looks at them; its findings are errors.
# The version ends with the release (+deb12), so that an upgrade of Debian brings the packages of the new one.
set -euo pipefail
cd "$(dirname "$0")/.."

own=$(dpkg --print-architecture)
architecture=${1:-$own}
suffix=+deb$(. /etc/os-release && echo "$VERSION_ID")
version=$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)$suffix
top=build/deb
source=$top/ecmp-exporter-$version
log=$top/build.log

# The files of the commit and of the working tree, without what was built; all files of a source tarball.
files() { git ls-files -z --cached --others --exclude-standard 2> /dev/null || find . -path ./build -prune -o -type f -print0; }

rm -rf "$top"
mkdir -p "$source"
files | tar --create --null --files-from=- | tar --extract --directory "$source"
cp -r packaging/debian "$source/debian"
sed -i "1s/)/$suffix)/" "$source/debian/changelog"
cp packaging/systemd/ecmp_exporter.service "$source/debian/ecmp-exporter.ecmp_exporter.service"

options=(--build=binary --no-sign)
if [ "$architecture" != "$own" ]; then
  # Of the -dev packages some are not for two architectures at once, so what is there is not what the control file asks for.
  options+=("--host-arch=$architecture" "--build-profiles=cross,nocheck" --no-check-builddeps)
fi
if ! (cd "$source" && dpkg-buildpackage "${options[@]}") > "$log" 2>&1; then
  tail -n 40 "$log"
  echo "build_deb.sh: the build failed (log: $log)" >&2
  exit 1
fi
lintian --fail-on error,warning "$top"/*.changes
ls "$top"/*.deb
