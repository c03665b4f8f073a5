#!/usr/bin/env bash
# docs/FLAGS.md is what `--help` of the programs says, and every flag that another document names exists.
# Usage: flags.sh RELAY GATEWAY KEEPER SLUICE
set -euo pipefail

failed=0
made=$(bash tests/tidy/flags_document.sh "$@")
diff -u docs/FLAGS.md <(printf '%s\n' "$made") || {
  echo 'docs/FLAGS.md is not what --help says: ./dev flags'
  failed=1
}

known=$(grep -oE '^\| `--[a-z-]+' <<<"$made" | sed 's/^| `//' | sort -u)
[[ $(wc -l <<<"$known") -ge 30 ]] || {
  echo "only these flags were found in --help: $known"
  failed=1
}

# `--flag` in a document is one of these, unless its line is about another program's command line.
others='\./dev|redis-cli|cmake|ctest|curl|podman|docker|clang|npm'
while IFS=: read -r file line text; do
  [[ ! $text =~ $others ]] || continue
  for flag in $(grep -oE '`--[a-z][a-z-]*' <<<"$text" | tr -d '`'); do
    grep -qxF -e "$flag" <<<"$known" || {
      echo "$file:$line names $flag, which no program has"
      failed=1
    }
  done
done < <(grep -nE '`--[a-z]' README.md ARCHITECTURE.md CONTRIBUTING.md proto/PROTOCOL.md haproxy/README.md compose/README.md docs/*.md)

exit "$failed"
