#!/usr/bin/env bash
# The compose stack for real: image from the shipped Dockerfile, containers from the shipped compose.yaml, clients from outside, a
# gateway killed, replaced and upgraded in place, Redis and the relay killed and started again, everything taken down. Usage: run.sh BUILD_DIR.
# Exit code 0: all as it should be, 77: containers can't run on this machine, else a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
skip_code=77
up_seconds=1200    # the image's building included
drive_seconds=600 # clients and faults
down_seconds=120

say() { printf 'compose-test: %s\n' "$*" >&2; }
skip() {
  printf '\n*** compose test SKIPPED: %s\n\n' "$*" >&2
  exit "$skip_code"
}
fail() {
  say "FAILED: $*"
  exit 1
}

# shellcheck source=tests/compose/engine.sh
source "$here/engine.sh"
# shellcheck source=tests/compose/images.sh
source "$here/images.sh"

# bounded SECONDS COMMAND...: waited for in a way that a signal interrupts, so that the end is in order whoever ends us.
bounded() {
  timeout "$@" &
  child=$!
  wait "$child"
}
child=''

export SLUICE_COMPOSE_PROJECT=$project
compose_command=(podman-compose --podman-path "$here/podman.sh" -p "$project" -f "$root/compose/compose.yaml")
# compose SECONDS COMMAND...
compose() { bounded "$1" "${compose_command[@]}" "${@:2}"; }

# Something free outside the ranges that the kernel and the process tests beside us deal out.
free_port() {
  local port
  for port in $(shuf -i 8500-9900 -n 20); do
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  return 1
}

preflight() {
  local tool
  [[ $EUID -eq 0 ]] || skip "it needs root: sudo ./dev compose-test"
  for tool in podman buildah runc podman-compose debootstrap iptables node; do
    command -v "$tool" >/dev/null || skip "$tool is missing: ./dev install compose test"
  done
  mkdir -p "$build"
  exec 8>"$build/compose.lock"
  flock -w 600 8 || fail "another compose test of this tree does not end"
  engine_setup "$build" || skip "podman does not work: $(tail -n 1 "$state/driver.log")"
}

logs() {
  local name
  for name in $(podman ps -a --format '{{.Names}}'); do
    printf -- '--- %s, last lines:\n' "$name"
    podman logs --tail 25 "$name" 2>&1 | sed 's/^/  /'
  done
} >&2

on_exit() {
  local status=$?
  trap '' INT TERM HUP
  trap - EXIT
  if [[ -n $child ]] && kill -TERM "$child" 2>/dev/null; then wait "$child" || true; fi
  [[ $status -eq 0 || $status -eq 130 || $status -eq $skip_code || -z $state ]] || logs || true
  [[ -z $state ]] || engine_clean
  [[ -z $run_state ]] || rm -rf --one-file-system "$run_state"
  exit "$status"
}

bring_up() {
  SLUICE_PUBLISH="127.0.0.1:$(free_port)"
  export SLUICE_PUBLISH
  # There is no image yet, so it is built, once. Its exit code says nothing about the building: look at the image and at the containers.
  compose "$up_seconds" up -d >"$state/up.log" 2>&1 || true
  podman image exists sluice:local || {
    tail -n 40 "$state/up.log" >&2
    fail "the image does not build"
  }
  local running
  running=$(podman ps -q | wc -l)
  [[ $running -eq 11 ]] || {
    grep -iE 'error' "$state/up.log" | tail -n 10 >&2
    fail "$running of 11 containers run"
  }
}

take_down() {
  local left status=0
  compose "$down_seconds" down -v -t 10 >"$state/down.log" 2>&1 || status=$?
  [[ $status -eq 0 ]] || fail "down ended with $status: $(tail -n 3 "$state/down.log")"
  say "down after $SECONDS s"
  # podman-compose leaves networks alone; the engine says whether nobody uses them any more.
  podman network ls --format '{{.Name}}' | { grep -vx podman || true; } | while read -r name; do podman network rm "$name" >/dev/null; done
  podman rmi --no-prune sluice:local >/dev/null
  local deadline=$((SECONDS + 15)) # helper processes end a moment after their containers
  until left=$(engine_leftovers) && [[ -z $left ]]; do
    [[ $SECONDS -lt $deadline ]] || break
    sleep 0.2
  done
  [[ -n $left ]] || return 0
  fail "left behind:"$'\n'"$left"
}

main() {
  build=$(mkdir -p "$1" && cd "$1" && pwd)
  trap on_exit EXIT
  trap 'exit 130' INT TERM HUP
  preflight
  SECONDS=0
  base_images || skip "no base image"
  can_run "$base_image" || skip "a container does not run here: $(tail -n 1 "$state/probe.log")"
  stand_ins || fail "a stand-in does not build"
  say "base images after $SECONDS s"
  bring_up
  say "stack up on $SLUICE_PUBLISH after $SECONDS s"
  bounded "$drive_seconds" node "$root/tests/process/node/compose_stack.mjs" "ws://$SLUICE_PUBLISH" "$project" "${compose_command[@]}" ||
    fail "clients and faults: see above"
  take_down
  say "passed after $SECONDS s, nothing left behind"
}

[[ $# -eq 1 ]] || {
  echo "usage: run.sh BUILD_DIR" >&2
  exit 2
}
main "$1"
