#!/usr/bin/env bash
# Builds the Debian packages into build/deb/: packaging/build_deb.sh. What they need is in
# packaging/dependencies.sh build package. lintian looks at them; its findings are errors.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)
top=build/deb
source=$top/ecmp-exporter-$version
log=$top/build.log

rm -rf "$top"
mkdir -p "$source"
# The files of the commit and of the working tree, without what was built.
git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from=- | tar --extract --directory "$source"
cp -r packaging/debian "$source/debian"
cp packaging/systemd/ecmp_exporter.service "$source/debian/ecmp-exporter.ecmp_exporter.service"

if ! (cd "$source" && dpkg-buildpackage --build=binary --no-sign) > "$log" 2>&1; then
  tail -n 40 "$log"
  echo "build_deb.sh: the build failed (log: $log)" >&2
  exit 1
fi
lintian --fail-on error,warning "$top"/*.changes
ls "$top"/*.deb
