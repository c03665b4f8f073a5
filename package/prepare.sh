#!/usr/bin/env bash
# The package's files that are made: both changelogs, compressed, and lintian's overrides.
# The Debian changelog has one entry, for the version of this build; its date is that of the last commit, or SOURCE_DATE_EPOCH.
# Usage: prepare.sh OUT_DIR VERSION MAINTAINER   (in the root of the tree)
set -euo pipefail
out=$1 version=$2 maintainer=$3

epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
mkdir -p "$out/overrides"
gzip -9nc CHANGELOG.md >"$out/changelog.gz"
gzip -9nc >"$out/changelog.Debian.gz" <<TEXT
sluice ($version) bookworm; urgency=medium

  * What this version changes stands in changelog.gz.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$epoch")
TEXT
cp package/debian/lintian-overrides "$out/overrides/sluice"
