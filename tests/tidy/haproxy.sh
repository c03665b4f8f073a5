#!/usr/bin/env bash
# The HAProxy files that we ship are valid without a warning, as they are and with the commented lines switched on. Arguments: other
# files to judge instead (haproxy_self_test.sh).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
haproxy=$(command -v haproxy || echo /usr/sbin/haproxy)
files=("$@")
[[ $# -gt 0 ]] || files=(haproxy/*.cfg compose/haproxy/haproxy.cfg)
./dev cert "$dir/cert" >/dev/null
export SLUICE_LB_CERT=$dir/cert/haproxy.pem
failed=0

# with_limits FILE: the commented settings switched on.
with_limits() {
  sed -E 's/^  # (stick-table|http-request|default-server|server-template|parse-resolv-conf|hold|timeout)( |$)/  \1\2/; s/^# (resolvers) /\1 /' "$1"
}

for file in "${files[@]}"; do
  with_limits "$file" >"$dir/limits.cfg"
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
