# ./dev soak: random clients and faults against the real programs. Sourced by ./dev; `cmd_soak` is the entry.
# shellcheck shell=bash disable=SC2154

cmd_soak() {
  local preset=release flags=() replay='./dev soak'
  while [[ $# -gt 0 ]]; do
    if [[ $1 == --asan ]]; then
      preset=asan
      replay='./dev soak --asan'
    else
      flags+=("$1")
    fi
    shift
  done
  install_packages build test
  build release soak
  if [[ $preset == asan ]]; then build asan sluice-relay sluice-gateway; fi
  SLUICE_BUILD_DIR=$root/build/$preset exec build/release/tests/soak/soak --logs "build/$preset/soak-logs" --replay-command "$replay" "${flags[@]}"
}
