# WebSocket clients in bash, behind a PROXY header, as gateway.toml wants it. Descriptor N is the client. Sourced; `die` is the caller's.
# shellcheck shell=bash

# connect N PORT
connect() {
  local line
  eval "exec $1<>/dev/tcp/127.0.0.1/$2"
  printf 'PROXY TCP4 203.0.113.7 127.0.0.1 40000 %s\r\nGET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n' "$2" >&"$1"
  read -r -t 20 line <&"$1" || die "port $2: no answer"
  [[ $line == 'HTTP/1.1 101 '* ]] || die "port $2 says $line"
  while read -r -t 20 line <&"$1" && [[ $line != $'\r' ]]; do :; done
}
# send N TEXT: one text frame, its mask all zeros. At most 125 bytes.
send() { printf "\\x81\\x$(printf '%02x' $((0x80 + ${#2})))\\0\\0\\0\\0%s" "$2" >&"$1"; }
# hear N TEXT: the next frame is this text.
hear() {
  local wanted got
  wanted=$(printf "\\x81\\x$(printf '%02x' ${#2})%s" "$2" | od -An -tx1)
  got=$(timeout 20 head -c $((2 + ${#2})) <&"$1" | od -An -tx1)
  [[ $got == "$wanted" ]] || die "client $1: expected '$2' ($wanted), got $got"
}
# hear_close N CODE: the next frame is a close of this code.
hear_close() {
  local got
  got=$(timeout 20 head -c 4 <&"$1" | od -An -tx1)
  [[ $got == " 88 "??" $(printf '%02x %02x' $(($2 / 256)) $(($2 % 256)))" ]] || die "client $1: expected a close of $2, got $got"
}
# send_close N CODE
# shellcheck disable=SC2059
send_close() { printf "\\x88\\x82\\0\\0\\0\\0\\x$(printf '%02x' $(($2 / 256)))\\x$(printf '%02x' $(($2 % 256)))" >&"$1"; }
