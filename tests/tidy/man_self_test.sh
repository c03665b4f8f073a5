#!/usr/bin/env bash
# man.sh must complain about broken pages: a copy of ours with one fault at a time.
# Usage: man_self_test.sh PROGRAM...
set -euo pipefail
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
failed=0
programs=("$@")
# expect TEXT SED_EXPRESSION: with that edit of sluice-relay's page man.sh fails and says TEXT.
expect() {
  local text=$1 edit=$2 said
  cp docs/man/*.scd "$copy/"
  sed -i -E "$edit" "$copy/sluice-relay.8.scd"
  if said=$(SLUICE_MAN_SOURCES=$copy bash tests/tidy/man.sh "${programs[@]}" 2>&1); then
    echo "not noticed: $edit"
    failed=1
  elif [[ $said != *"$text"* ]]; then
    echo "$edit: '$text' is not in: $said"
    failed=1
  fi
}

expect '--ring-bytes is missing' 's/^@OPTIONS@$//'
expect 'names --no-such-flag, which no program has' 's/\*--broker\*/*--no-such-flag*/'
expect "can't be rendered" 's/^# EXIT STATUS/#EXIT STATUS/'
expect 'a mark was not filled in' 's/^# FILES/&\n\nSee @SETTING@./'
exit "$failed"
