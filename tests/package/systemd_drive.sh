#!/usr/bin/env bash
# What systemd_test.sh runs inside its container: one client of gateway 1111, and all that systemctl can do to the units.
set -euo pipefail

say() { printf 'systemd-test: %s\n' "$*" >&2; }
die() {
  say "FAILED: $*"
  exit 1
}
# shellcheck source=tests/package/client.sh
source "$(dirname "${BASH_SOURCE[0]}")/client.sh"

gateway=sluice-gateway@1111
keeper=sluice-keeper@1111
wait_tenths_max=300

main_pid() { systemctl show -p MainPID --value "$1"; }
# until_true WHAT COMMAND...
until_true() {
  local what=$1 tenths=0
  shift
  until "$@"; do
    [[ $((tenths += 1)) -le $wait_tenths_max ]] || die "$what: not after $((wait_tenths_max / 10)) s"
    sleep 0.1
  done
}
serial=0
# stays WHAT: the client hears itself, and what it says was said once.
stays() {
  serial=$((serial + 1))
  send 4 "number $serial"
  hear 4 "number $serial"
  say "$1: the client stays"
}
held() { sluice status --json --relay unix:/run/sluice/relay.sock | grep -qE '"held": ?1\b'; }
# another_pid UNIT OLD, same_pid UNIT OLD
another_pid() {
  local now
  now=$(main_pid "$1")
  [[ $now != 0 && $now != "$2" ]] && systemctl -q is-active "$1"
}
same_pid() { [[ $(main_pid "$1") == "$2" ]] || die "$1: process $(main_pid "$1") in place of $2"; }

until_true 'the gateway is up' systemctl -q is-active "$gateway"
connect 4 1111
stays 'begin'

pid=$(main_pid "$gateway")
systemctl restart "$gateway"
another_pid "$gateway" "$pid" || die 'the gateway is the old one'
stays 'restart of the gateway'

pid=$(main_pid "$gateway")
systemctl reload "$gateway"
same_pid "$gateway" "$pid"
stays 'reload of the gateway'

for signal in KILL ABRT; do
  pid=$(main_pid "$gateway")
  kill -s "$signal" "$pid"
  until_true 'the gateway is started again' another_pid "$gateway" "$pid"
  stays "SIG$signal to the gateway"
done

pid=$(main_pid sluice-relay)
systemctl reload sluice-relay
stays 'reload of the relay'
same_pid sluice-relay "$pid"

pid=$(main_pid "$keeper")
systemctl reload "$keeper"
stays 'reload of the keeper'
same_pid "$keeper" "$pid"
# At once: the gateway has still to find the new keeper.
systemctl restart "$keeper"
systemctl restart "$gateway"
stays 'restart of keeper and gateway'

systemctl reload sluice-relay "$keeper" "$gateway"
stays 'reload of all'
until_true 'the keeper has the client' held
systemctl restart sluice-relay
until_true 'the relay has the gateway' held
stays 'restart of the relay'

systemctl stop "$gateway" &
hear_close 4 1001
send_close 4 1001
wait
! systemctl -q is-active "$gateway" || die 'the gateway runs'
say 'stop of the gateway: the client is told (1001)'

# Nobody would hold the clients: a restart drains.
systemctl start "$gateway"
connect 5 1111
systemctl stop "$keeper"
systemctl restart "$gateway" &
hear_close 5 1001
send_close 5 1001
wait
say 'restart without a keeper: the client is told (1001)'
