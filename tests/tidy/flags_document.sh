#!/usr/bin/env bash
# Prints docs/FLAGS.md, made from the programs' own --help. `./dev flags` writes it, flags.sh compares.
# Usage: flags_document.sh RELAY GATEWAY KEEPER SLUICE
set -euo pipefail

cat <<'TEXT'
# Flags

Made from `--help` by `./dev flags`; a test keeps the two the same.

Each setting is a flag, an environment variable or a line of the TOML file that `--config` names (`ping-interval = "25s"`): the first
of flag, environment, file and default wins. What may be given several times is separated by commas in the environment and an array in the
file. Unknown keys stop the start. Durations need a unit (`250ms`, `5s`, `2m`, `1h`), and so do sizes (`512B`, `64KiB`, `1MiB`) and rates (`200/s`).
Addresses are `ADDR:PORT`, `[ADDR6]:PORT`, `*:PORT`, `unix:PATH` or `fd:N`. The commands of `sluice` read no file.
TEXT

# One table per group of --help. A flag's text may stand on the line below it, when the flag is long.
# tables PREFIX: of the --help on standard input.
tables() {
  local prefix=$1
  awk -v prefix="$prefix" '
    function variable(flag) {
      sub(/^--/, "", flag)
      gsub(/-/, "_", flag)
      return (flag == "help" || flag == "version") ? "" : "`" prefix toupper(flag) "`"
    }
    function row(text,   fallback, needed) {
      needed = sub(/ \(required\)$/, "", text)
      if (match(text, / \[[^\]]*\]$/)) {
        fallback = substr(text, RSTART + 2, RLENGTH - 3)
        text = substr(text, 1, RSTART - 1)
      }
      gsub(/\|/, "\\|", text)
      printf "| `%s` | %s | %s | %s |\n", flag value, variable(flag), needed ? "required" : (fallback == "" ? "" : "`" fallback "`"), text
      flag = ""
    }
    # Arguments without dashes stand in the line "Usage".
    /^Positionals:$/ { next }
    /^[A-Z].*:$/ {
      group = $0
      sub(/:$/, "", group)
      printf "\n### %s\n\n| flag | environment | default | meaning |\n|---|---|---|---|\n", group
      next
    }
    /^  +(-[a-z],)?--/ {
      line = $0
      sub(/^ +(-[a-z],)?/, "", line)
      match(line, /^--[a-z-]+/)
      flag = substr(line, RSTART, RLENGTH)
      line = substr(line, RLENGTH + 1)
      value = ""
      if (match(line, /^ [^ ]+/)) {
        value = substr(line, RSTART, RLENGTH)
        line = substr(line, RLENGTH + 1)
      }
      sub(/^ +/, "", line)
      if (line != "") row(line)
      next
    }
    flag != "" {
      sub(/^ +/, "")
      row($0)
    }'
}

for program in "$@"; do
  name=$(basename "$program")
  if [[ $name == sluice ]]; then
    for command in status tail publish channels presence history disconnect drain undrain upgrade haproxy-lint check 'token make' 'token inspect' version; do
      # shellcheck disable=SC2086  # two words
      usage=$("$program" $command --help | sed -n 's/^Usage: //p')
      # shellcheck disable=SC2016  # the backquotes are Markdown's
      printf '\n## %s\n\n`%s`\n' "$name $command" "$usage"
      # shellcheck disable=SC2086
      "$program" $command --help | tables SLUICE_
    done
  else
    printf '\n## %s\n' "$name"
    "$program" --help | tables "SLUICE_$(tr '[:lower:]-' '[:upper:]_' <<<"${name#sluice-}")_"
  fi
done
