#!/usr/bin/env bash
# A manual page for man: PAGE.scd with what PROGRAM says of itself in place of @VERSION@, @OPTIONS@ and @SETTINGS@, through scdoc.
# The options come from `--help` by way of the script that makes docs/FLAGS.md, so there is one source and one reader of it.
# Usage: render.sh PAGE.scd PROGRAM >PAGE
set -euo pipefail
page=$1 program=$2
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# scdoc's own marks, taken literally.
escape='s/[\\*_#~]/\\&/g; s/\+\+/\\+\\+/g'

# Rows of docs/FLAGS.md: | `--flag VALUE` | `VARIABLE` | `default` or required | text |
options() {
  bash "$tree/tests/tidy/flags_document.sh" "$program" | sed -nE '/^### |^\| `--/p' |
    sed -E 's/\\\|/\x01/g; s/^\| //; s/ \|$//; s/ \| /\x02/g; s/\x01/|/g' |
    sed -E "$escape; s/^\\\\#\\\\#\\\\# /## /" |
    awk -F '\x02' '
      /^## / {
        # What stands above the first group of --help has no name worth a heading.
        if ($0 != "## Options") printf "%s\n\n", toupper($0)
        next
      }
      {
        gsub(/`/, "")
        split($1, flag, " ")
        printf "*%s*%s\n", flag[1], (flag[2] == "" ? "" : " _" flag[2] "_")
        printf "\t%s.", $4
        if ($3 == "required") printf " Required."
        else if ($3 != "") printf " Default: %s.", $3
        if ($2 != "") printf " Environment: *%s*.", $2
        printf "\n\n"
      }'
}

# The paragraph below the options of --help.
settings() { "$program" --help | sed -n '/^Every setting /,$p' | sed -E "$escape"; }

version=$("$program" --version | sed -nE '1s/.* ([^ ]+)$/\1/p')
[[ -n $version ]] || {
  echo "render.sh: $program --version says no version" >&2
  exit 1
}
while IFS= read -r line; do
  case $line in
    @OPTIONS@) options ;;
    @SETTINGS@) settings ;;
    *) printf '%s\n' "${line//@VERSION@/$version}" ;;
  esac
done <"$page" | scdoc
