# ./dev bench: measures the whole system. Sourced by ./dev; `cmd_bench` is the entry.
# shellcheck shell=bash

# value_of FLAG DEFAULT ARG...: what follows --FLAG, or stands behind --FLAG=.
value_of() {
  local flag=$1 value=$2 previous='' argument
  shift 2
  for argument in "$@"; do
    [[ $argument != "$flag="* ]] || value=${argument#*=}
    [[ $previous != "$flag" ]] || value=$argument
    previous=$argument
  done
  printf '%s' "$value"
}

bench_deploy() {
  local out status=0
  out=$(value_of --out "bench/results/deploy-$(value_of --scenario rolling "$@")" "$@")
  install_packages build run redis bench
  build release bench_deploy sluice-relay sluice-gateway
  # Python of the system: that is what Debian's matplotlib is for.
  build/release/bench/deploy/bench_deploy "$@" || status=$?
  # A run that broke a promise has its picture too.
  if [[ $status -le 1 && " $* " != *' --help '* ]]; then /usr/bin/python3 bench/deploy/plot.py "$out.json"; fi
  return "$status"
}

bench_fanout() {
  local out servers status=0
  out=$(value_of --out bench/results/fanout.json "$@")
  install_packages build redis bench
  servers=$(value_of --servers '' "$@")
  if [[ " $* " == *' --peers '* || $servers =~ nchan|mosquitto|node-ws|socketio|article ]]; then
    # shellcheck source=dev.d/bench_peers.sh
    source dev.d/bench_peers.sh
    prepare_peers
  fi
  build release bench_fanout sluice-relay sluice-gateway
  build/release/bench/fanout/bench_fanout "$@" || status=$?
  if [[ $status -le 1 && " $* " != *' --help '* && -f bench/fanout/plot.py ]]; then /usr/bin/python3 bench/fanout/plot.py "$out"; fi
  return "$status"
}

bench_restart() {
  local out wanted scenario targets=(sluice-relay sluice-gateway sluice) runs=() status=0 since
  out=$(value_of --out bench/results/restart "$@")
  wanted=$(value_of --scenario planned,kill,upgrade,relay-upgrade,relay-kill,package,idle,steady "$@")
  install_packages build run redis bench
  if [[ -f keeper/main.cc ]]; then targets+=(sluice-keeper); fi
  build release bench_restart "${targets[@]}"
  since=$(mktemp)
  build/release/bench/restart/bench_restart "$@" || status=$?
  # What this run has written, not an earlier one.
  for scenario in ${wanted//,/ }; do
    if [[ $out-$scenario.json -nt $since ]]; then runs+=("$out-$scenario.json"); fi
  done
  rm -f "$since"
  if [[ ${#runs[@]} -gt 0 ]]; then /usr/bin/python3 bench/restart/plot.py "${runs[@]}"; fi
  return "$status"
}

bench_channels() {
  install_packages build redis bench
  build release bench_channels sluice-relay sluice-gateway
  build/release/bench/channels/bench_channels "$@"
}

cmd_bench() {
  local which=${1:-}
  if [[ $which == deploy || $which == restart || $which == channels ]]; then
    shift
    "bench_$which" "$@"
  else
    bench_fanout "$@"
  fi
}
