# ./dev compose-test: the compose stack for real, alone. Sourced by ./dev; `cmd_compose_test` is the entry.
# shellcheck shell=bash

cmd_compose_test() {
  [[ $# -eq 0 ]] || die "compose-test takes no arguments"
  install_packages test compose
  tests/process/node/install
  exec tests/compose/run.sh "$PWD/build/release"
}
