#!/bin/sh
# promtool must have nothing to say about a whole scrape: the given files, one behind the other.
set -eu
if ! command -v promtool >/dev/null; then
  echo "skipped: promtool (Debian package prometheus) is not installed"
  exit 77
fi
said=$(cat "$@" | promtool check metrics 2>&1) || { echo "promtool failed: $said"; exit 1; }
[ -z "$said" ] || { echo "promtool said: $said"; exit 1; }
