#!/usr/bin/env bash
# The HAProxy files that we ship are valid without a warning, as they are and with the commented lines switched on.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
haproxy=$(command -v haproxy || echo /usr/sbin/haproxy)
failed=0
for file in haproxy/haproxy.cfg compose/haproxy/haproxy.cfg; do
  sed -E 's/^  # (stick-table|http-request) /  \1 /' "$file" >"$dir/limits.cfg"
  ! cmp -s "$file" "$dir/limits.cfg" || {
    echo "$file: no commented limits"
    failed=1
  }
  for config in "$file" "$dir/limits.cfg"; do
    said=$("$haproxy" -c -V -dW -f "$config" 2>&1) || true
    [[ $said == 'Configuration file is valid' ]] || {
      printf '%s (%s):\n%s\n' "$file" "$config" "$said"
      failed=1
    }
  done
done
exit "$failed"
