#!/usr/bin/env bash
# Everything of a release, from the commit that is checked out, into build/release-VERSION/ or the folder that is named:
#
#   packaging/release.sh [--no-image] [--only RELEASE/ARCHITECTURE]... [FOLDER]
#
# The source as a tarball; Debian packages for bookworm and trixie, amd64 and arm64 (cross-compiled, tests/arm64.sh runs them);
# the container image for amd64; a list of what all that is made of (SPDX 2.3); SHA256SUMS. Builds run in roots made by
# debootstrap, which stay in build/roots/, so only the first time takes long. All times are that of the commit, and the same
# commit gives the same bytes while Debian's packages are the same: the list names their versions.
# Needs root, debootstrap, git and a network, on amd64.
set -euo pipefail
cd "$(dirname "$0")/.."
exec < /dev/null

image=yes
wanted=()
folder=
while [ $# -gt 0 ]; do
  case $1 in
    --no-image) image=no ;;
    --only) wanted+=("$2") && shift ;;
    -*)
      sed -n '4s/^# *//p' "$0" >&2
      exit 2
      ;;
    *) folder=$1 ;;
  esac
  shift
done
[ ${#wanted[@]} -gt 0 ] || wanted=(bookworm/amd64 bookworm/arm64 trixie/amd64 trixie/arm64)

say() { echo "release.sh: $*"; }
version=$(sed -n 's/^project(ecmp_exporter VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
name=ecmp_exporter-$version
folder=$(realpath -m "${folder:-build/release-$version}")
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
[ -z "$(git status --porcelain)" ] || say "what is not committed takes no part"
# Only what an earlier run has made is taken away.
if [ -d "$folder" ] && [ -n "$(ls -A "$folder")" ] && [ ! -e "$folder/SHA256SUMS" ]; then
  say "$folder is not empty, and no earlier release"
  exit 1
fi
rm -rf "$folder" "$folder".*.made_with # beside it, where the list of parts looks
mkdir -p "$folder"

git archive --prefix="$name/" HEAD | gzip -9 --no-name > "$folder/$name.tar.gz"
say "$name.tar.gz"

scratch=
trap 'rm -rf "$scratch"' EXIT
# The tarball again, in a place of its own: what it lacks is to be missed here.
unpack() {
  scratch=$(mktemp -d)
  tar --extract --file "$folder/$name.tar.gz" --directory "$scratch" --strip-components 1
}

for pair in "${wanted[@]}"; do
  release=${pair%/*} architecture=${pair#*/}
  root=build/roots/$release-$architecture
  kind=package
  if [ "$architecture" != amd64 ]; then kind=cross; fi
  unpack
  mkdir -p build/roots/ccache
  # shellcheck disable=SC2016
  CCACHE_DIR=/ccache packaging/in_root.sh "$release" "$root" --bind "$scratch" /src --bind build/roots/ccache /ccache -- \
    bash -euc 'cd /src; packaging/dependencies.sh "$1"; packaging/build_deb.sh "$2"
               dpkg-query --show --showformat "\${db:Status-Status} \${Package} \${Version} \${Architecture}\n" "*-dev" |
                 sed -n "s/^installed //p" > build/made_with' \
    release.sh "$kind" "$architecture" > "$folder.$release-$architecture.log" 2>&1 ||
    { tail -n 30 "$folder.$release-$architecture.log"; say "no packages for $pair"; exit 1; }
  find "$scratch/build/deb" -maxdepth 1 -name '*.deb' ! -name '*-dbgsym_*' -exec cp -t "$folder" {} +
  cp "$scratch/build/made_with" "$folder.$release-$architecture.made_with"
  rm -rf "$scratch"
  say "packages for $pair"
done

if [ $image = yes ]; then
  unpack
  "$scratch/packaging/image.py" --output "$folder/$name-image-amd64.tar" > "$folder.image.log" 2>&1 ||
    { tail -n 30 "$folder.image.log"; say "no image"; exit 1; }
  rm -rf "$scratch"
  say "$name-image-amd64.tar"
fi

/usr/bin/python3 packaging/sbom.py "$folder" "$version" "$(git rev-parse HEAD)" "$SOURCE_DATE_EPOCH" > "$folder/$name.spdx.json"
(cd "$folder" && sha256sum -- * > ../sums && mv ../sums SHA256SUMS)
say "all is in $folder"
cat "$folder/SHA256SUMS"
