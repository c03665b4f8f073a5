# shellcheck shell=bash
# ./dev fuzz: builds the fuzz targets with libFuzzer and runs them one after the other; what is found stays in
# build/fuzz-work. ./dev fuzz --coverage: what the corpora in the tree reach of the parsers.

# `root`, `say`, `die`, `build` and `install_packages` are those of dev.
# shellcheck disable=SC2154

fuzz_work=build/fuzz-work
# The parsers and the pure cores that the targets are there for.
fuzz_covered=(common/address.cc common/flags.cc common/flag_values.cc common/ip.cc common/units.cc common/utf8.cc proto/decoder.cc
  ctl/haproxy_condition.cc ctl/haproxy_config.cc ctl/haproxy_words.cc
  gateway/config.cc gateway/forwarded.cc gateway/haproxy_reply.cc gateway/http_head.cc gateway/hub.cc gateway/proxy_protocol.cc gateway/proxy_tlv.cc gateway/relay_link.cc
  gateway/protocols/centrifuge_json.cc gateway/protocols/centrifuge_json_read.cc gateway/protocols/centrifuge_json_write.cc gateway/protocols/centrifuge_meta.cc gateway/protocols/centrifuge_protobuf.cc gateway/protocols/json_content.cc
  gateway/runtime_registration.cc gateway/session_input.cc gateway/upgrade_request.cc gateway/ws_scanner.cc relay/config.cc relay/brokers/redis_push_reader.cc relay/brokers/redis_url.cc
  relay/gateway_index.cc relay/gateway_session.cc relay/replay_ring.cc relay/router.cc relay/router_links.cc relay/router_publish.cc relay/handover/state_reader.cc relay/handover/preamble.cc
  relay/handover/ring_codec.cc relay/handover/index_codec.cc relay/handover/hold_codec.cc relay/handover/router_codec.cc relay/handover/link_state.cc
  relay/handover/redis_push_codec.cc relay/handover/redis_subscriptions_codec.cc)

fuzz_targets() {
  find tests/fuzz/targets -name '*.cc' | sed 's#.*/##; s/\.cc$//' | sort
}

# fuzz_seeds: fresh inputs from our own encoders, in build/fuzz-work/seeds/TARGET.
fuzz_seeds() {
  build release fuzz_seeds
  rm -rf "$fuzz_work/seeds"
  build/release/tests/fuzz/fuzz_seeds "$fuzz_work/seeds" >&2
}

# fuzz_directories TARGET: the corpora there are, the one to be written first.
fuzz_directories() {
  local directory
  mkdir -p "$fuzz_work/corpus/$1" "$fuzz_work/findings/$1"
  for directory in "$fuzz_work/corpus/$1" "tests/fuzz/corpus/$1" "$fuzz_work/seeds/$1"; do
    if [[ -d $directory ]]; then echo "$directory"; fi
  done
}

# fuzz_one TARGET SECONDS
fuzz_one() {
  local target=$1 seconds=$2 log=$fuzz_work/$1.log directories options=() status=0
  local program=build/fuzz/tests/fuzz/fuzz_$target dictionary=tests/fuzz/dict/$target.dict
  mapfile -t directories < <(fuzz_directories "$target")
  if [[ -f $dictionary ]]; then options+=("-dict=$dictionary"); fi
  say "dev: fuzzing $target for $seconds s, log in $log"
  nice -n 19 "$program" "${directories[@]}" "${options[@]}" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 \
    -max_len=4096 -print_final_stats=1 -artifact_prefix="$fuzz_work/findings/$target/" >"$log" 2>&1 || status=$?
  printf '%-14s %4d s %10s runs %6s/s  %s\n' "$target" "$seconds" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")" \
    "$(grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -n 1)"
  [[ $status -ne 0 ]] || return 0
  grep -E 'CHECK failed|runtime error|ERROR: |SUMMARY: ' "$log" | head -n 5 || true
  local found
  found=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
  say "dev: $target failed; see $log. Again: $program $found"
  say "     When it is mended, the input joins tests/fuzz/corpus/$target, with a unit test that names what was wrong."
  return 1
}

# fuzz_merge TARGET: the corpus in the tree becomes the smallest one that reaches all that was reached. Only small inputs.
fuzz_merge() {
  local target=$1 fresh=$fuzz_work/merged/$1 directories
  mapfile -t directories < <(fuzz_directories "$target")
  rm -rf "$fresh"
  mkdir -p "$fresh" "tests/fuzz/corpus/$target"
  nice -n 19 "build/fuzz/tests/fuzz/fuzz_$target" -merge=1 -max_len="$fuzz_merge_bytes" "$fresh" "${directories[@]}" \
    >"$fuzz_work/$target.merge.log" 2>&1 || die "merging $target failed: see $fuzz_work/$target.merge.log"
  # Regressions keep their names, whatever they cover.
  find "tests/fuzz/corpus/$target" -type f ! -name 'regression-*' -delete
  cp "$fresh"/* "tests/fuzz/corpus/$target/"
  find "tests/fuzz/corpus/$target" -type f -printf '%s\n' |
    awk -v target="$target" '{ bytes += $1 } END { printf "%-14s %5d inputs %7d bytes\n", target, NR, bytes }'
}
fuzz_merge_bytes=1024

fuzz_coverage() {
  local target objects=() profiles=()
  [[ -f build/coverage/build.ninja ]] || cmake --preset coverage >&2
  mapfile -t targets < <(fuzz_targets)
  cmake --build build/coverage -j "$(nproc)" --target "${targets[@]/#/fuzz_}" >&2
  for target in "${targets[@]}"; do
    profiles+=("$fuzz_work/$target.profraw")
    LLVM_PROFILE_FILE=$fuzz_work/$target.profraw "build/coverage/tests/fuzz/fuzz_$target" "tests/fuzz/corpus/$target" >&2
    objects+=(-object "build/coverage/tests/fuzz/fuzz_$target")
  done
  llvm-profdata-14 merge -sparse "${profiles[@]}" -o "$fuzz_work/all.profdata"
  llvm-cov-14 export -summary-only -instr-profile="$fuzz_work/all.profdata" "${objects[@]:1}" |
    fuzz_coverage_table
}

fuzz_coverage_table() {
  printf '%-34s %7s %9s %9s\n' file lines covered branches
  # Chosen here: llvm-cov does not know the files by these names.
  jq -r --arg root "$root/" --arg wanted "${fuzz_covered[*]}" '($wanted | split(" ")) as $files | .data[0].files[] |
    (.filename | ltrimstr($root) | sub("^build/coverage/../../"; "")) as $name | select($files | index($name)) |
    [$name, .summary.lines.count, .summary.lines.percent, .summary.branches.percent] | @tsv' | sort |
    awk -F'\t' '{ printf "%-34s %7d %8.1f%% %8.1f%%\n", $1, $2, $3, $4 }'
}

cmd_fuzz() {
  local minutes=3 chosen=() coverage=false merge=false failed=0 target
  while [[ $# -gt 0 ]]; do
    case $1 in
      --minutes)
        minutes=${2:-}
        [[ $minutes =~ ^[0-9]+$ && $minutes -gt 0 ]] || die "--minutes needs a whole number above 0"
        shift
        ;;
      --coverage) coverage=true ;;
      --merge) merge=true ;;
      -*) die "fuzz has --minutes N, --merge and --coverage, not $1" ;;
      *)
        [[ -f tests/fuzz/targets/$1.cc ]] || die "no fuzz target '$1': $(fuzz_targets | paste -sd' ')"
        chosen+=("$1")
        ;;
    esac
    shift
  done
  [[ ${#chosen[@]} -gt 0 ]] || mapfile -t chosen < <(fuzz_targets)
  install_packages build fuzz
  mkdir -p "$fuzz_work"
  if $coverage; then
    fuzz_coverage
    return
  fi
  fuzz_seeds
  build fuzz "${chosen[@]/#/fuzz_}"
  for target in "${chosen[@]}"; do
    if $merge; then
      fuzz_merge "$target"
    else
      fuzz_one "$target" $((minutes * 60)) || failed=1
    fi
  done
  return "$failed"
}
