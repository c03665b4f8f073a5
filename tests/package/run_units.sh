#!/usr/bin/env bash
# Runs a relay and two gateways with their keepers in a root by their units' own lines (ExecStart, Environment, EnvironmentFile, User, runtime
# directory, LimitNOFILE), sends messages through them, restarts a gateway by what its unit's restart
# does, stops them with their KillSignal.
# In a network and process namespace of its own: ports are free, and nothing outlives it. install_test.sh calls it.
# Usage: run_units.sh ROOT
set -euo pipefail
root=$1
wait_tenths_max=300

say() { printf 'package-test: %s\n' "$*" >&2; }
die() {
  say "FAILED: $*"
  tail -n 20 "$logs"/* >&2 || true
  exit 1
}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
ip link set lo up
mount -t proc proc "$root/proc"

# ---- units

# setting UNIT NAME: its values, one per line; %i is the instance.
setting() {
  local file=${1/@*./@.} instance=${1#*@}
  sed -nE "s/^$2=(.*)/\1/p" "$root/lib/systemd/system/$file" | sed "s/%i/${instance%.service}/g"
}

declare -A pid_of=()
# start UNIT: as systemd would, but for the sandbox.
start() {
  local unit=$1 file user group directory state limit hard line environment=() command
  user=$(setting "$unit" User)
  group=$(setting "$unit" Group)
  directory=$root/run/$(setting "$unit" RuntimeDirectory)
  chroot "$root" install -d -o "$user" -g "$group" -m "$(setting "$unit" RuntimeDirectoryMode)" "${directory#"$root"}"
  state=$(setting "$unit" StateDirectory)
  [[ -z $state ]] || chroot "$root" install -d -o "$user" -g "$group" -m "$(setting "$unit" StateDirectoryMode)" "/var/lib/$state"
  while read -r line; do environment+=("$line"); done < <(setting "$unit" Environment)
  while read -r file; do
    if [[ ! -e $root${file#-} ]]; then
      [[ $file == -* ]] || die "$unit: $file is missing"
      continue
    fi
    while read -r line; do environment+=("$line"); done < <(grep -vE '^[[:space:]]*(#|$)' "$root${file#-}")
  done < <(setting "$unit" EnvironmentFile)
  read -ra command < <(setting "$unit" ExecStart)
  limit=$(setting "$unit" LimitNOFILE)
  hard=$(ulimit -Hn)
  [[ $hard == unlimited || $hard -ge $limit ]] || limit=$hard
  say "$unit: ${environment[*]} ${command[*]}"
  (
    ulimit -Sn "$limit"
    umask "$(setting "$unit" UMask)"
    exec chroot --userspec="$user:$group" "$root" env -i PATH=/usr/bin:/bin "${environment[@]}" "${command[@]}"
  ) >"$logs/$unit" 2>&1 &
  pid_of[$unit]=$!
}

# stop UNIT: drained, exit code 0.
stop() {
  local unit=$1 status=0
  kill -s "$(setting "$unit" KillSignal)" "${pid_of[$unit]}"
  wait "${pid_of[$unit]}" || status=$?
  [[ $status -eq 0 ]] || die "$unit ends with $status"
}

# restart UNIT: parked as by its ExecStop, and started again.
restart() {
  local unit=$1 status=0
  kill -s USR2 "${pid_of[$unit]}"
  wait "${pid_of[$unit]}" || status=$?
  [[ $status -eq 0 ]] || die "$unit parks with $status"
  start "$unit"
}

# until_true WHAT COMMAND...
until_true() {
  local what=$1 tenths=0
  shift
  until "$@"; do
    [[ $((tenths += 1)) -le $wait_tenths_max ]] || die "$what: not after $((wait_tenths_max / 10)) s"
    sleep 0.1
  done
}

# says PORT PATH TEXT: the admin page has the text.
says() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3
    timeout 5 cat <&3 | grep -qF "$3"
  ) 2>/dev/null
}

# shellcheck source=tests/package/client.sh
source "$(dirname "${BASH_SOURCE[0]}")/client.sh"

start sluice-keeper@1111.service
start sluice-keeper@2222.service
# Gateways first: they wait for the relay.
start sluice-gateway@1111.service
start sluice-gateway@2222.service
until_true 'gateway 1111 waits for the relay' says 1112 /readyz 'waiting for the relay'
start sluice-relay.service
until_true 'gateway 1111 ready' says 1112 /readyz ready
until_true 'gateway 2222 ready' says 2223 /readyz ready
until_true 'metrics of the relay' says 5556 /metrics sluice_relay_

connect 4 1111
send 4 'hears itself'
hear 4 'hears itself'
connect 5 2222
send 5 'from 2222'
hear 5 'from 2222'
hear 4 'from 2222'
send 4 'from 1111'
hear 5 'from 1111'
hear 4 'from 1111'
say 'clients of both gateways hear themselves and each other'
restart sluice-gateway@1111.service
send 4 'sent while nobody is there'
hear 4 'sent while nobody is there'
hear 5 'sent while nobody is there'
says 1112 /metrics 'sluice_gateway_takeovers_total{kind="planned"} 1' || die 'gateway 1111 has taken nothing over'
say 'a client outlives its gateway, and hears and is heard'

for unit in "${!pid_of[@]}"; do
  owner=$(chroot "$root" stat -c %U "/proc/${pid_of[$unit]}")
  [[ $owner == sluice ]] || die "$unit runs as $owner"
done
[[ $(stat -c %a "$root/run/sluice") == 750 ]] || die "/run/sluice has mode $(stat -c %a "$root/run/sluice")"
stop sluice-gateway@1111.service
stop sluice-gateway@2222.service
stop sluice-keeper@1111.service
stop sluice-keeper@2222.service
stop sluice-relay.service
[[ -f $root/var/lib/sluice/drain-marks.json ]] || die 'the relay has kept nothing in /var/lib/sluice'
[[ -d $root/run/sluice ]] || die '/run/sluice went with a daemon'
say 'drained and ended with 0'
