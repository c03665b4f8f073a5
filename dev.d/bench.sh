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

cmd_bench() {
  if [[ ${1:-} == deploy ]]; then
    shift
    bench_deploy "$@"
  else
    bench_fanout "$@"
  fi
}
