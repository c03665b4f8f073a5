# ./dev up: the article's system on this machine. Sourced by ./dev; `cmd_up` is the entry.
# Every program runs in a session of its own, so that Ctrl-C reaches this script alone, which then ends them in order; should the
# script itself be killed, the kernel tells them (parent-death signal).
# shellcheck shell=bash

gateway_ids=(1111 2222 3333 4444)
colors=(36 33 32 35 34 31 90)
stop_wait_tenths=60 # how long a program may take to end before it is killed
ready_wait_tenths=150

declare -A pid_of=() # name -> pid of what is running
started=()           # names in starting order
run_dir=''
api_key='' # of the relay's API

# ---- small helpers

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# http_status PORT PATH: the status code, or nothing.
http_status() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 0
    printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3
    read -r -t 1 _ code _ <&3 && printf '%s' "$code"
  ) 2>/dev/null || true
}

alive() { [[ -n ${pid_of[$1]:-} ]] && kill -0 "${pid_of[$1]}" 2>/dev/null; }

# launch NAME COMMAND...: in the background, its output prefixed with the name.
launch() {
  local name=$1 fifo="$run_dir/$1.out" prefix color=${colors[$((${#started[@]} % ${#colors[@]}))]}
  shift
  prefix=$(printf '%-7s| ' "$name")
  [[ -z ${paint:-} ]] || prefix=$(printf '\033[%sm%s\033[0m' "$color" "$prefix")
  rm -f "$fifo" # of the process before
  mkfifo "$fifo"
  (
    trap '' INT TERM HUP # ends with its writer
    exec sed -u "s/^/$prefix/" <"$fifo"
  ) &
  setsid setpriv --pdeathsig TERM "$@" >"$fifo" 2>&1 </dev/null &
  pid_of[$name]=$!
  started+=("$name")
}

# stop NAME...: asks all, waits for all, kills what stays.
stop() {
  local name tenths=0
  for name in "$@"; do ! alive "$name" || kill -TERM "${pid_of[$name]}" 2>/dev/null || true; done
  for name in "$@"; do
    while alive "$name" && [[ $tenths -lt $stop_wait_tenths ]]; do
      sleep 0.1
      tenths=$((tenths + 1))
    done
    if alive "$name"; then
      say "dev: $name does not end: killed"
      kill -KILL "${pid_of[$name]}" 2>/dev/null || true
    fi
    [[ -z ${pid_of[$name]:-} ]] || wait "${pid_of[$name]}" 2>/dev/null || true
    unset "pid_of[$name]"
  done
}

# Gateways first: they tell their clients. Then who carried them, then what they stood on; keepers hold nothing by then.
end_all() {
  trap '' INT TERM HUP
  trap - EXIT
  [[ ${#pid_of[@]} -eq 0 ]] || say "dev: ending"
  stop "${gateway_ids[@]}"
  stop haproxy tls
  stop relay "${gateway_ids[@]/#/keeper-}"
  stop redis
  wait
  [[ -z $run_dir ]] || rm -rf "$run_dir"
}

# ---- the steps

parse_up_flags() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      --redis) with_redis=true ;;
      --tls) with_tls=true ;;
      --port | --bind | --tls-port)
        [[ $# -ge 2 ]] || die "$1 needs a value"
        case $1 in
          --port) port=$2 ;;
          --bind) bind=$2 ;;
          *) with_tls=true tls_port=$2 ;;
        esac
        shift
        ;;
      --port=*) port=${1#*=} ;;
      --tls-port=*) with_tls=true tls_port=${1#*=} ;;
      --bind=*) bind=${1#*=} ;;
      *) die "unknown flag '$1' of up: ./dev help" ;;
    esac
    shift
  done
  is_port "$port" || die "--port $port: a number from 1 to 65535"
  is_port "$tls_port" || die "--tls-port $tls_port: a number from 1 to 65535"
}

is_port() { [[ $1 =~ ^[0-9]{1,5}$ && $1 -ge 1 && $1 -le 65535 ]]; }

# The ports 1111, 2222, … (traffic), each + 1 for its admin listener and + 2 for HAProxy's agent check, 5556 for the relay's, 5557 for its
# API; all of them 10000 or 20000 higher where something has one of these already, a second ./dev up for example.
choose_ports() {
  ! $with_tls || ! port_open "$tls_port" ||
    die "port $tls_port is taken by another program. Choose another: ./dev up --tls-port $((tls_port < 65535 ? tls_port + 1 : 8443))"
  ! port_open "$port" || die "port $port is taken by another program. Choose another: ./dev up --port $((port < 65535 ? port + 1 : 8080))"
  local id
  for shift_by in 0 10000 20000; do
    for id in "${gateway_ids[@]}"; do
      if port_open $((id + shift_by)) || port_open $((id + 1 + shift_by)) || port_open $((id + 2 + shift_by)); then continue 2; fi
    done
    if port_open $((5556 + shift_by)) || port_open $((5557 + shift_by)); then continue; fi
    return 0
  done
  die "ports ${gateway_ids[*]} are taken, and those 10000 and 20000 above as well: end another ./dev up first"
}

start_redis() {
  launch redis redis-server --port 0 --unixsocket "$run_dir/redis.sock" --save '' --appendonly no --loglevel warning --dir "$run_dir"
  broker="redis+unix://$run_dir/redis.sock"
  broker_text='a Redis of its own'
}

start_relay() {
  api_key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && printf 'dev-up:%s\n' "$api_key" >"$run_dir/api-keys")
  launch relay build/release/sluice-relay --listen "unix:$run_dir/relay.sock" --broker "$broker" --open-access \
    --admin-listen "127.0.0.1:$((5556 + shift_by))" --api-listen "127.0.0.1:$((5557 + shift_by))" --api-key-file "$run_dir/api-keys"
}

start_keeper() {
  launch "keeper-$1" build/release/sluice-keeper --id "$1" --listen "unix:$run_dir/keeper-$1.sock"
}
keeper_ready() { [[ -S $run_dir/keeper-$1.sock ]]; }

start_gateway() {
  launch "$1" build/release/sluice-gateway --id "$1" --listen "127.0.0.1:$(($1 + shift_by))" \
    --admin-listen "127.0.0.1:$(($1 + 1 + shift_by))" --agent-listen "127.0.0.1:$(($1 + 2 + shift_by))" --relay "unix:$run_dir/relay.sock" \
    --keeper "unix:$run_dir/keeper-$1.sock" --proxy-protocol required --trusted-proxy 127.0.0.0/8 --tag-messages \
    --greeting "Connected successfully to server {id}" --greeting-delay 5s --drain-delay 0s --drain-timeout 2s --demo --open-access
}

start_haproxy() {
  local id
  for id in "${gateway_ids[@]}"; do
    export "SLUICE_LB_${id}_PORT=$((id + shift_by))" "SLUICE_LB_${id}_CHECK=$((id + 1 + shift_by))" \
      "SLUICE_LB_${id}_AGENT=$((id + 2 + shift_by))"
  done
  # The file wants 8000 clients, two descriptors each; with fewer descriptors, as many as they allow.
  local descriptors
  descriptors=$(ulimit -Hn)
  if [[ $descriptors != unlimited && $descriptors -lt 16100 ]]; then
    export SLUICE_LB_MAXCONN=$(((descriptors - 100) / 2))
  fi
  SLUICE_LB_BIND="$bind:$port" SLUICE_LB_STATS="$run_dir/haproxy.sock" launch haproxy haproxy -db -f haproxy/haproxy.cfg
  ! $with_tls || start_tls
}

# One more HAProxy in front of the same gateways.
start_tls() {
  make_cert build/cert
  SLUICE_LB_BIND="$bind:$tls_port" SLUICE_LB_STATS="$run_dir/haproxy-tls.sock" launch tls haproxy -db -f haproxy/haproxy-tls.cfg
}

# wait_for WHAT COMMAND...: until the command succeeds. Fails when a program has ended meanwhile.
wait_for() {
  local what=$1 tenths=0 name
  shift
  until "$@"; do
    for name in "${started[@]}"; do
      alive "$name" || die "$name has ended: its last lines are above"
    done
    [[ $tenths -lt $ready_wait_tenths ]] || die "$what is not ready after $((ready_wait_tenths / 10)) s: its lines are above"
    sleep 0.1
    tenths=$((tenths + 1))
  done
}

gateway_ready() { [[ $(http_status "$1" /readyz) == 200 ]]; }
# An answer, of whatever kind: no WebSocket was asked for. 503 would say that no gateway is there.
haproxy_ready() {
  local status
  status=$(http_status "$port" /)
  [[ -n $status && $status != 503 ]]
}

# "1111 pid 4711, 2222 pid 4712, …"
gateway_pids() {
  local id text=''
  for id in "${gateway_ids[@]}"; do text+="${text:+, }$id pid ${pid_of[$id]}"; done
  printf '%s' "$text"
}

# start_keepers: one for each gateway, all ready.
start_keepers() {
  local id
  for id in "${gateway_ids[@]}"; do start_keeper "$id"; done
  for id in "${gateway_ids[@]}"; do wait_for "keeper of $id" keeper_ready "$id"; done
}

banner() {
  cat <<TEXT

  Sluice is up: ws://localhost:$port   (four gateways behind HAProxy, broker: $broker_text)

  To look at:   http://localhost:$port    (connections, messages, latency; channels that recover)
  Gateways:     $(gateway_pids)
                kill one and see:  kill -KILL PID, and it is started again: its clients stay, its keeper holds them;
                kill -TERM PID drains it: its clients go to the others

  In a browser's console, line by line:

    let ws = new WebSocket("ws://localhost:$port");
    ws.onmessage = message => console.log(\`Received: \${message.data}\`);
    ws.send("Hello! I'm client 1")

  With Centrifuge SDKs: ws://localhost:$port/connection/websocket   (anybody may do anything on any channel; all of them recover)
  Server API:           curl -H "X-API-Key: $api_key" 127.0.0.1:$((5557 + shift_by))/api/publish -d '{"channel":"livechat","data":"hi"}'
  Operators' tool:      build/release/sluice channels --relay unix:$run_dir/relay.sock   (status, presence, history, tail, …)

  Metrics: curl 127.0.0.1:$((1112 + shift_by))/metrics (gateway 1111), curl 127.0.0.1:$((5556 + shift_by))/metrics (relay)
TEXT
  if $with_tls; then
    echo "  TLS:     wss://localhost:$tls_port   (./dev cert says how clients learn to trust it)"
  fi
  if $with_redis; then
    echo "  Redis:   redis-cli -s $run_dir/redis.sock PUBLISH livechat hi"
  fi
  printf '  Ctrl-C ends everything.\n\n'
}

# revive NAME STATUS: what ended by itself. A gateway that was killed, or has failed, is started again, as by a service manager.
revive() {
  if [[ $2 -ne 0 && " ${gateway_ids[*]} " == *" $1 "* ]]; then
    start_gateway "$1"
    say "dev: $1 has ended (exit code $2) and is started again, pid ${pid_of[$1]}"
  else
    say "dev: $1 has ended (exit code $2)"
  fi
}

# Until Ctrl-C, or until something ends that the rest can't do without.
follow() {
  local ended status name
  while [[ ${#pid_of[@]} -gt 0 ]]; do
    status=0
    wait -n -p ended "${pid_of[@]}" 2>/dev/null || status=$?
    for name in "${!pid_of[@]}"; do
      [[ ${pid_of[$name]} == "${ended:-}" ]] || continue
      unset "pid_of[$name]"
      revive "$name" "$status"
      [[ $name != haproxy && $name != relay && $name != tls ]] || return 1
    done
  done
}

cmd_up() {
  local port=8080 bind=127.0.0.1 with_redis=false broker=memory: broker_text=memory: shift_by=0 paint='' id groups=(build run)
  local with_tls=false tls_port=8443
  parse_up_flags "$@"
  choose_ports
  if $with_redis; then groups+=(redis); fi
  if $with_tls; then groups+=(cert); fi
  install_packages "${groups[@]}"
  build release sluice-relay sluice-gateway sluice-keeper sluice
  [[ ! -t 1 || -n ${NO_COLOR:-} ]] || paint=yes
  run_dir=$(mktemp -d "${TMPDIR:-/tmp}/sluice.XXXXXX")
  trap end_all EXIT
  trap 'exit 0' INT TERM HUP
  if $with_redis; then start_redis; fi
  start_relay
  start_keepers
  for id in "${gateway_ids[@]}"; do start_gateway "$id"; done
  for id in "${gateway_ids[@]}"; do wait_for "gateway $id" gateway_ready $((id + 1 + shift_by)); done
  start_haproxy
  wait_for HAProxy haproxy_ready
  ! $with_tls || wait_for 'HAProxy with TLS' port_open "$tls_port"
  banner
  follow
}
