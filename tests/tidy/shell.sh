#!/usr/bin/env bash
# Shell scripts: they parse, and shellcheck has nothing to say.
set -euo pipefail
scripts=(dev .ci/run dev.d/*.sh tests/tidy/*.sh docs/man/*.sh package/*.sh package/debian/{postinst,prerm,postrm} systemd/park-on-restart tests/package/*.sh
  tests/compose/*.sh tests/compose/*/*.sh tests/process/node/install bench/fanout/peers/node/install)
for script in "${scripts[@]}"; do bash -n "$script"; done
command -v shellcheck >/dev/null || {
  echo "shellcheck is missing: ./dev install test"
  exit 1
}
# SC3013: `test -nt` is not POSIX, but Debian's sh has it.
shellcheck -x -e SC3013 "${scripts[@]}"
