# ./dev bench: measures the whole system. Sourced by ./dev; `cmd_bench` is the entry.
# shellcheck shell=bash

bench_deploy() {
  local out='' scenario=rolling status=0 previous='' argument
  for argument in "$@"; do
    case $argument in
      --scenario=*) scenario=${argument#*=} ;;
      --out=*) out=${argument#*=} ;;
      *)
        [[ $previous != --scenario ]] || scenario=$argument
        [[ $previous != --out ]] || out=$argument
        ;;
    esac
    previous=$argument
  done
  install_packages build run redis bench
  build release bench_deploy sluice-relay sluice-gateway
  # Python of the system: that is what Debian's matplotlib is for.
  build/release/bench/deploy/bench_deploy "$@" || status=$?
  # A run that broke a promise has its picture too.
  if [[ $status -le 1 && " $* " != *' --help '* ]]; then /usr/bin/python3 bench/deploy/plot.py "${out:-bench/results/deploy-$scenario}.json"; fi
  return "$status"
}

cmd_bench() {
  local what=${1:-}
  [[ $# -eq 0 ]] || shift
  case $what in
    deploy) bench_deploy "$@" ;;
    *) die "bench what? deploy: ./dev bench deploy [--quick] [--scenario rolling|reload|kill]" ;;
  esac
}
