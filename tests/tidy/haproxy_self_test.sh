#!/usr/bin/env bash
# haproxy.sh must complain where HAProxy has a warning: a copy of each file with one fault at a time.
set -euo pipefail

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
failed=0
# expect TEXT FILE SED_EXPRESSION: with that edit haproxy.sh fails and says TEXT.
expect() {
  local text=$1 file=$2 edit=$3 said
  sed -E "$edit" "haproxy/$file" >"$copy/$file"
  ! cmp -s "$copy/$file" "haproxy/$file" || {
    echo "'$edit' changes nothing in $file"
    failed=1
  }
  if said=$(bash tests/tidy/haproxy.sh "$copy/$file"); then
    echo "not noticed: '$edit' in $file"
    failed=1
  elif [[ $said != *"$text"* ]]; then
    echo "'$edit' in $file: '$text' is not in: $said"
    failed=1
  fi
}

expect 'missing timeouts for' haproxy.cfg '/^  timeout (client|server) /d'
expect "'option httplog' not usable" haproxy.cfg 's/^  mode http$/  mode tcp/'
expect 'unknown keyword' haproxy-unix.cfg 's/^  retries 3/  retires 3/'
expect "'http-request' rule placed after" haproxy.cfg 's/^  default_backend gateways/&\n  http-request deny if FALSE/; s/^  http-request return.*/  use_backend gateways if TRUE/'
expect 'unable to stat SSL certificate' haproxy-tls.cfg 's/ssl crt "[^"]*"/ssl crt \/nowhere.pem/'
expect 'placed after' haproxy-dynamic.cfg '/^  tcp-request/d; s/^  http-request return.*/&\n  tcp-request inspect-delay 1500ms\n  tcp-request content accept if WAIT_END/'
expect 'no commented limits' haproxy.cfg '/^  # (stick-table|http-request)/d'
exit "$failed"
