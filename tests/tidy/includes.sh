#!/usr/bin/env bash
# The direction of includes: common <- {proto, keeper} <- {relay, gateway, ctl}, and these three never include each other. A bench stands on the
# tests' harness and shares only common with what it measures, and proto where it speaks the relay link. Beside that, what the
# simulator runs is pure: it includes no header of an I/O library, neither itself nor through a header of ours.
# Usage: includes.sh [TREE]
set -euo pipefail
cd "${1:-.}"

# What includes no libwebsockets, libev, libevent or hiredis header on any path.
pure=(
  gateway/hub gateway/hub_joins gateway/joins gateway/presence_book gateway/relay_link gateway/link_requests gateway/publish_hold gateway/outbox gateway/session_table gateway/session_input gateway/frame_run gateway/run_memory gateway/frame_log gateway/fan_out gateway/send_batch gateway/transport
  gateway/handoff/run_arena gateway/handoff/out_recorder gateway/handoff/out_restore keeper/arena
  gateway/ws_scanner gateway/connection_limits gateway/readiness gateway/drain gateway/departures
  gateway/close_pace gateway/balancers gateway/balancer_state gateway/agent_check gateway/load_weight gateway/client_session
  gateway/handoff/bytes gateway/handoff/fault_point gateway/handoff/scanner_image gateway/handoff/resume_bytes gateway/handoff/resumed_session gateway/handoff/in_recorder gateway/handoff/session_record gateway/handoff/identity_codec gateway/handoff/handshake_record gateway/handshake_state
  gateway/client_identity gateway/client_address gateway/proxy_protocol gateway/proxy_tlv gateway/forwarded gateway/http_head
  gateway/haproxy_reply gateway/haproxy_server gateway/runtime_registration
  gateway/hooks/hooks gateway/hooks/hook_breaker gateway/hooks/hook_settings
  gateway/protocols/plain gateway/protocols/demo gateway/protocols/client_protocol gateway/demo_pages
  gateway/protocols/json_content gateway/protocols/centrifuge_codec gateway/protocols/centrifuge_meta gateway/protocols/centrifuge_json gateway/protocols/centrifuge_json_read
  gateway/protocols/centrifuge_json_write gateway/protocols/centrifuge_protobuf
  gateway/protocols/name_pool gateway/protocols/centrifuge_codes gateway/protocols/centrifuge_limits gateway/protocols/centrifuge_state gateway/protocols/centrifuge_output
  gateway/protocols/centrifuge_permissions gateway/protocols/centrifuge_hook_bodies gateway/protocols/centrifuge_service gateway/protocols/centrifuge_control gateway/protocols/centrifuge_protocol
  gateway/protocols/centrifuge_client gateway/protocols/centrifuge_connect gateway/protocols/centrifuge_subscribe gateway/protocols/centrifuge_publish gateway/protocols/centrifuge_queries
  gateway/protocols/centrifuge_refresh gateway/protocols/centrifuge_hooks gateway/protocols/centrifuge_resume
  relay/router relay/router_links relay/router_publish relay/router_ports relay/router_state relay/gateway_session
  relay/router_requests relay/router_presence relay/router_local relay/local_requests relay/link_requests relay/presence_table relay/rules_policy
  relay/brokers/memory_broker relay/brokers/memory_history
  relay/status relay/drain_marks relay/gateway_index relay/replay_ring relay/gap_collector relay/publish_hold relay/brokers/broker
  relay/brokers/redis_push_reader relay/admin_request relay/refusal_log
  relay/api/limits relay/api/api_error relay/api/api_method relay/api/raw_json relay/api/params relay/api/requests relay/api/http_head
  relay/api/idempotency_cache relay/api/node_registry relay/api/survey relay/api/cluster relay/api/answers relay/api/gather relay/api/batch_run
  relay/api/api_service
  keeper/recovery keeper/parting keeper/fields keeper/shared_state
  relay/handover/state_writer relay/handover/state_reader relay/handover/preamble relay/handover/ring_codec relay/handover/index_codec
  relay/handover/presence_codec relay/handover/request_codec relay/handover/memory_broker_codec
  relay/handover/hold_codec relay/handover/router_codec relay/handover/link_state relay/handover/redis_push_codec
  relay/handover/redis_subscriptions_codec relay/handover/redis_connection_state
  common/rules/rules common/rules/rules_file common/tokens/algorithm common/base64 common/tokens/strict_json common/tokens/evp common/tokens/keys common/tokens/jwks
  common/tokens/signature common/tokens/token_text common/tokens/claims common/tokens/tokens gateway/access gateway/protocols/plain_access
  relay/brokers/redis_keys relay/brokers/redis_envelope relay/brokers/redis_continuity relay/brokers/redis_channels
  relay/brokers/redis_hearing relay/brokers/redis_scripts relay/brokers/redis_command
  relay/handover/redis_channels_codec
  ctl/text ctl/table ctl/status_view ctl/tail_event ctl/tail_channel
  ctl/haproxy_words ctl/haproxy_condition ctl/haproxy_config
  ctl/haproxy_lint/settings ctl/haproxy_lint/server ctl/haproxy_lint/model ctl/haproxy_lint/traffic ctl/haproxy_lint/rule ctl/haproxy_lint/timeouts
  ctl/haproxy_lint/checks ctl/haproxy_lint/retries ctl/haproxy_lint/balance ctl/haproxy_lint/limits ctl/haproxy_lint/operations
  ctl/haproxy_lint/identity ctl/haproxy_lint/lint ctl/haproxy_lint/haproxy_output ctl/haproxy_lint/report
  bench/channels/judge bench/channels/report
  bench/deploy/reconnect bench/deploy/message bench/deploy/delivery bench/deploy/judge bench/deploy/report
  bench/restart/message bench/restart/stream_check bench/restart/record bench/restart/latency_log bench/restart/judge bench/restart/report
  bench/fanout/message bench/fanout/verifier bench/fanout/ws_frame bench/fanout/plain_dialect bench/fanout/workload bench/fanout/result
  bench/fanout/floors/push_parser
  bench/fanout/dialects/centrifuge bench/fanout/dialects/mqtt bench/fanout/dialects/mqtt_packet bench/fanout/dialects/socketio bench/fanout/dialects/json_text
  bench/fanout/dialects/http_replies
)
io_headers='^(libwebsockets\.h|ev\.h|ev\+\+\.h|event\.h|event2/|hiredis/|hiredis\.h|sys/socket\.h|sys/epoll\.h)'

failed=0
complain() {
  printf '%s\n' "$*"
  failed=1
}

# includes[FILE]: what stands in its #include lines, all files read at once.
declare -A includes=()
while IFS=$'\t' read -r file header; do
  includes[$file]+=$header$'\n'
done < <(find common proto keeper relay gateway ctl bench \( -name '*.h' -o -name '*.cc' \) -exec \
  sed -nsE '1F; s/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]+)[>"].*/\t\1/p' {} + |
  awk -F'\t' 'NF == 1 { file = $0; next } { print file "\t" $2 }')

# may_include LAYER: the layers whose headers it may name.
may_include() {
  case $1 in
    common) echo 'common' ;;
    proto) echo 'common proto' ;;
    relay) echo 'common proto relay' ;;
    keeper) echo 'common keeper' ;;
    gateway) echo 'common proto keeper gateway' ;;
    ctl) echo 'common proto ctl' ;;
    bench) echo 'common proto bench tests' ;;
  esac
}

for layer in common proto keeper relay gateway ctl bench; do
  allowed=" $(may_include "$layer") "
  while read -r file; do
    while read -r header; do
      [[ -n $header ]] || continue
      top=${header%%/*}
      case $top in
        common | proto | keeper | relay | gateway | ctl | bench | tests)
          [[ $allowed == *" $top "* ]] || complain "$file: $layer must not include $header"
          # protoc makes NAME.pb.h of NAME.proto.
          [[ $header == */* && (-e $header || -e ${header%.pb.h}.proto) ]] || complain "$file: $header does not exist"
          ;;
        ..) complain "$file: include from the root of the tree, not $header" ;;
      esac
      [[ $layer != proto || ! $header =~ $io_headers ]] || complain "$file: proto does no I/O, but includes $header"
    done <<<"${includes[$file]:-}"
  done < <(find "$layer" -name '*.h' -o -name '*.cc' | sort)
done

# reach FILE FROM: walks our own headers; complains about an I/O header, naming the way to it.
declare -A seen=()
reach() {
  local file=$1 way=$2 header
  [[ -z ${seen[$file]:-} ]] || return 0
  seen[$file]=1
  while read -r header; do
    [[ -n $header ]] || continue
    if [[ $header =~ $io_headers ]]; then
      complain "$way: pure, but includes <$header>"
    elif [[ -e $header ]]; then
      reach "$header" "$way -> $header"
    fi
  done <<<"${includes[$file]:-}"
}

for stem in "${pure[@]}"; do
  found=0
  for file in "$stem.h" "$stem.cc"; do
    [[ -e $file ]] || continue
    found=1
    seen=()
    reach "$file" "$file"
  done
  [[ $found -eq 1 ]] || complain "tests/tidy/includes.sh: $stem is in the list of pure files, but not in the tree"
done

exit "$failed"
