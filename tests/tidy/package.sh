#!/usr/bin/env bash
# The Debian package can be made from this build, and has in it what it should. (lintian looks at the real one: ./dev package.)
# Usage: package.sh BUILD_DIR
set -euo pipefail
for tool in dpkg-shlibdeps scdoc; do
  command -v "$tool" >/dev/null || {
    echo "$tool is missing: ./dev install test"
    exit 1
  }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
umask 022
said=$(cpack --config "$1/CPackConfig.cmake" -B "$dir" 2>&1) || {
  printf '%s\n' "$said"
  exit 1
}
bash tests/package/contents.sh "$dir"/sluice_*.deb
