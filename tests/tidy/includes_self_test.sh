#!/usr/bin/env bash
# includes.sh must complain about what it is for: a copy of the tree with one bad include at a time.
set -euo pipefail

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
for layer in common proto keeper relay gateway ctl bench tests/process/support; do
  find "$layer" \( -name '*.h' -o -name '*.cc' \) -print0 | xargs -0 cp --parents -t "$copy"
done

failed=0
# expect TEXT FILE LINE: with LINE in front of FILE, includes.sh fails and says TEXT.
expect() {
  local text=$1 file=$copy/$2 line=$3 said
  cp "$file" "$copy/saved"
  printf '%s\n' "$line" | cat - "$copy/saved" >"$file"
  if said=$(bash tests/tidy/includes.sh "$copy"); then
    echo "not noticed: $line in $2"
    failed=1
  elif [[ $said != *"$text"* ]]; then
    echo "$line in $2: '$text' is not in: $said"
    failed=1
  fi
  cp "$copy/saved" "$file"
}

expect 'gateway must not include relay/router.h' gateway/hub.h '#include "relay/router.h"'
expect 'relay must not include gateway/hub.h' relay/router.cc '#include "gateway/hub.h"'
expect 'ctl must not include relay/router.h' ctl/text.cc '#include "relay/router.h"'
expect 'bench must not include gateway/hub.h' bench/deploy/load.cc '#include "gateway/hub.h"'
expect 'gateway must not include bench/deploy/record.h' gateway/hub.h '#include "bench/deploy/record.h"'
expect 'common must not include proto/frame.h' common/clock.h '#include "proto/frame.h"'
expect 'proto must not include relay/limits.h' proto/encoder.cc '#include "relay/limits.h"'
expect 'proto does no I/O' proto/decoder.cc '#include <sys/socket.h>'
expect 'pure, but includes <libwebsockets.h>' gateway/hub.cc '#include <libwebsockets.h>'
expect 'relay/replay_ring.h: pure, but includes <event2/event.h>' relay/replay_ring.h '#include <event2/event.h>'
expect 'does not exist' relay/router.cc '#include "common/no_such_header.h"'
exit "$failed"
