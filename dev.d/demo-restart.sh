# ./dev demo-restart: the demo page in a real Chromium while gateways are restarted, killed and upgraded in turns. Its connection
# counter must not move and its messages have no hole. Sourced by ./dev; `cmd_demo_restart` is the entry.
# shellcheck shell=bash

# shellcheck source=dev.d/up.sh
source "${BASH_SOURCE[0]%/*}/up.sh"

demo_actions=(restart kill upgrade)
browser_wait_s=120 # a browser's start on a busy machine; one look takes no second

parse_demo_flags() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      --rounds | --port | --shot)
        [[ $# -ge 2 ]] || die "$1 needs a value"
        case $1 in
          --rounds) rounds=$2 ;;
          --port) port=$2 ;;
          *) shot=$2 ;;
        esac
        shift
        ;;
      --rounds=*) rounds=${1#*=} ;;
      --port=*) port=${1#*=} ;;
      --shot=*) shot=${1#*=} ;;
      *) die "unknown flag '$1' of demo-restart: ./dev help" ;;
    esac
    shift
  done
  [[ $rounds =~ ^[0-9]{1,4}$ && $rounds -ge 1 ]] || die "--rounds $rounds: a number from 1 to 9999"
  is_port "$port" || die "--port $port: a number from 1 to 65535"
}

# Gateways drain, then what they stand on ends.
end_demo() {
  trap '' INT TERM HUP
  trap - EXIT
  stop browser "${gateway_ids[@]}"
  stop haproxy
  stop relay "${gateway_ids[@]/#/keeper-}"
  exec 6>&- 7<&-
  wait
  [[ -z $run_dir ]] || rm -rf "$run_dir"
}

# The browser is told what to look at line by line, and answers so.
start_browser() {
  tests/process/node/install
  mkfifo "$run_dir/ask" "$run_dir/answer"
  setsid setpriv --pdeathsig TERM node tests/process/node/demo_restart.mjs "http://127.0.0.1:$port/" "$shot" \
    <"$run_dir/ask" >"$run_dir/answer" &
  pid_of["browser"]=$!
  exec 6>"$run_dir/ask" 7<"$run_dir/answer"
}

# ask WORD: says it to the browser; its answer must begin with OK.
ask() {
  local answer=''
  if [[ $1 != open ]]; then printf '%s\n' "$1" >&6; fi
  read -r -t "$browser_wait_s" answer <&7 || die 'the browser does not answer'
  [[ $answer == OK* ]] || die "the page has noticed: $answer"
  say "      page: ${answer#OK }"
}

# The process ends, whatever it ends with, and the next one is started at once.
replace_gateway() {
  local status=0
  kill "-$2" "${pid_of[$1]}"
  wait "${pid_of[$1]}" 2>/dev/null || status=$?
  start_gateway "$1"
  [[ $2 == KILL || $status -eq 0 ]] || die "gateway $1 ended with $status instead of parking"
}

one_round() {
  local number=$1 action=$2 id=$3
  say "[$number/$rounds] $action $id"
  case $action in
    restart) replace_gateway "$id" USR2 ;;
    kill) replace_gateway "$id" KILL ;;
    upgrade) build/release/sluice upgrade "$id" --relay "unix:$run_dir/relay.sock" >&2 || die "sluice upgrade $id failed" ;;
  esac
  wait_for "gateway $id" gateway_ready $((id + 1 + shift_by))
  ask look
}

cmd_demo_restart() {
  local port=8080 bind=127.0.0.1 broker=memory: shift_by=0 paint='' id with_tls=false tls_port=8443 rounds=12 shot='' i
  parse_demo_flags "$@"
  choose_ports
  install_packages build run test
  [[ -f keeper/main.cc ]] || die 'there is no sluice-keeper in this tree'
  build release sluice-relay sluice-gateway sluice-keeper sluice
  run_dir=$(mktemp -d "${TMPDIR:-/tmp}/sluice.XXXXXX")
  trap end_demo EXIT
  trap 'exit 1' INT TERM HUP
  start_relay
  start_keepers
  for id in "${gateway_ids[@]}"; do start_gateway "$id"; done
  for id in "${gateway_ids[@]}"; do wait_for "gateway $id" gateway_ready $((id + 1 + shift_by)); done
  start_haproxy
  wait_for HAProxy haproxy_ready
  start_browser
  ask open
  for ((i = 1; i <= rounds; ++i)); do
    one_round "$i" "${demo_actions[$(((i - 1) % ${#demo_actions[@]}))]}" "${gateway_ids[$(((i - 1) % ${#gateway_ids[@]}))]}"
  done
  ask end
  say "dev: $rounds restarts, kills and upgrades, and the page has noticed none"
  end_demo # here, not by the trap: what runs stands in variables of the functions that are about to return
}
