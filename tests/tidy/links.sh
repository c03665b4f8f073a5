#!/usr/bin/env bash
# Every relative link of our documents leads to a file.
set -euo pipefail
failed=0
while read -r document; do
  for target in $(grep -oE '\]\([^)]+\)' "$document" | sed -E 's/^\]\(//; s/\)$//; s/#.*$//' | grep -vE '^(https?:|mailto:|$)' || true); do
    [[ -e $(dirname "$document")/$target ]] || {
      echo "$document: no $target"
      failed=1
    }
  done
done < <(find . \( -name node_modules -o -name build -o -name .git \) -prune -o -name '*.md' -print | sort)
exit "$failed"
