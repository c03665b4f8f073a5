#!/usr/bin/env bash
# The manual pages, made from docs/man and the programs: man, groff and mandoc have no warning, every flag of --help and every
# command is in them, and each flag that the prose names exists.
# Usage: man.sh PROGRAM...
set -euo pipefail
for tool in scdoc man groff mandoc; do
  command -v "$tool" >/dev/null || {
    echo "$tool is missing: ./dev install test"
    exit 1
  }
done
pages=${SLUICE_MAN_SOURCES:-docs/man}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

failed=0
complain() {
  printf '%s\n' "$*"
  failed=1
}
# quiet WHAT COMMAND...: it succeeds and has nothing to say on stderr.
quiet() {
  local what=$1 said
  shift
  if ! said=$("$@" 2>&1 >/dev/null) || [[ -n $said ]]; then complain "$what: ${said:-failed}"; fi
}

# help_of PROGRAM: of sluice, what its commands say; its own --help is about them.
help_of() {
  local command
  if [[ $(basename "$1") != sluice ]]; then
    "$1" --help
  else
    for command in status tail publish channels presence history disconnect drain undrain upgrade haproxy-lint check 'token make' 'token inspect' version; do
      # shellcheck disable=SC2086  # two words
      "$1" $command --help
    done
    printf '  --relay\n  --json\n'
  fi
}

for program in "$@"; do
  name=$(basename "$program")
  sources=("$pages/$name".[18].scd)
  [[ ${#sources[@]} -eq 1 && -e ${sources[0]} ]] || {
    complain "$name has no page in $pages"
    continue
  }
  page=$dir/$(basename "${sources[0]}" .scd)
  bash docs/man/render.sh "${sources[0]}" "$program" >"$page" || {
    complain "${sources[0]} can't be rendered"
    continue
  }
  quiet "$page: man" env LC_ALL=C.UTF-8 man --warnings=w -l "$page"
  quiet "$page: groff" groff -man -ww -K utf8 -Tutf8 -z "$page"
  # scdoc opens more paragraphs than it fills: harmless, and not ours.
  said=$(mandoc -T lint -W warning "$page" 2>&1 | grep -v 'skipping paragraph macro: PP') || true
  [[ -z $said ]] || complain "$said"
  text=$(LC_ALL=C.UTF-8 MANWIDTH=2000 man -l "$page" | col -b)
  [[ $text == *"$("$program" --version | sed -n 's/.* //p;q')"* ]] || complain "$page: not the version of $name"
  flags=$(help_of "$program" | sed -nE 's/^ +(-[a-z],)?(--[a-z-]+).*/\2/p')
  [[ -n $flags ]] || complain "$name --help names no flag"
  for flag in $flags; do
    grep -qE "^ +$flag( |$)" <<<"$text" || complain "$page: $flag is missing"
  done
  for flag in $(grep -oE '\*--[a-z-]+' "${sources[0]}" | tr -d '*' | sort -u); do
    for known in "$@"; do
      help_of "$known" | grep -E "^ +(-[a-z],)?$flag( |$)" >/dev/null && continue 2
    done
    complain "${sources[0]} names $flag, which no program has"
  done
  ! grep -q '@[A-Z]*@' <<<"$text" || complain "$page: a mark was not filled in"
done
exit "$failed"
