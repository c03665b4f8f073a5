#!/usr/bin/env bash
# The systemd units: systemd-analyze has nothing to say about them (any output fails), and what sandboxing leaves open stays below
# a mark. Programs, manual pages and the units that ours depend on are looked up in a staged root, so that what this machine has
# installed plays no part.
# Usage: units.sh [UNIT_DIR]
set -euo pipefail
units=${1:-systemd}
exposure_max=20 # tenths of systemd-analyze's figure from 0 (tight) to 10; all services have 1.5

command -v systemd-analyze >/dev/null || {
  echo "systemd-analyze is missing: ./dev install test"
  exit 1
}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# The targets that every unit depends on, from systemd's own package.
system=$stage/lib/systemd/system
mkdir -p "$system" "$stage/usr/bin" "$stage/usr/lib/sluice" "$stage/bin" "$stage/etc"
ln -s ../../lib/systemd "$stage/usr/lib/systemd"
cp -a /lib/systemd/system/*.target /lib/systemd/system/*.slice "$system/"
cp "$units"/*.service "$units"/*.slice "$system/"
for program in usr/bin/{sluice-relay,sluice-gateway,sluice-keeper,sluice} usr/lib/sluice/park-on-restart bin/sh; do
  printf '#!/bin/sh\n' >"$stage/$program"
  chmod 755 "$stage/$program"
done

failed=0
# Manual pages are tests/tidy/man.sh's matter.
for unit in "$units"/*.service "$units"/*.slice; do
  name=$(basename "$unit")
  said=$(systemd-analyze --root="$stage" --man=no --recursive-errors=yes verify "${name/@./@1111.}" 2>&1) && status=0 || status=$?
  [[ $status -eq 0 && -z $said ]] || {
    printf '%s (exit code %s):\n%s\n' "$name" "$status" "$said"
    failed=1
  }
done
for unit in "$units"/*.service; do
  name=$(basename "$unit")
  said=$(systemd-analyze --root="$stage" --offline=yes --threshold="$exposure_max" --no-pager security "${name/@./@1111.}" 2>&1) ||
    {
      printf '%s is more exposed than %s tenths:\n%s\n' "$name" "$exposure_max" "$said"
      failed=1
    }
  [[ $said == *'Overall exposure level'* ]] || {
    printf '%s: no figure from systemd-analyze:\n%s\n' "$name" "$said"
    failed=1
  }
done

# What verify can't know.
# setting UNIT NAME: its last value, in seconds where it is a time.
setting() { sed -nE "s/^$2=([0-9]+)s?$/\1/p" "$units/$1" | tail -n 1; }
# default_of FLAG: a number of docs/FLAGS.md.
default_of() { sed -nE "s/^\\| .--$1 [A-Z]+. .* \\| .([0-9]+)s?. \\|.*/\\1/p" docs/FLAGS.md; }
drain_timeout=$(default_of drain-timeout)
[[ -n $drain_timeout && $(setting sluice-gateway@.service TimeoutStopSec) -gt $drain_timeout ]] || {
  echo "sluice-gateway@.service: TimeoutStopSec must be above --drain-timeout ($drain_timeout s), or a drain is cut short"
  failed=1
}
connections=$(default_of max-connections)
[[ -n $connections && $(setting sluice-gateway@.service LimitNOFILE) -ge $((connections + 800)) ]] || {
  echo "sluice-gateway@.service: LimitNOFILE does not suffice for --max-connections ($connections and 800)"
  failed=1
}
# millis UNIT NAME: a time of the unit.
millis() { sed -nE "s/^$2=([0-9]+)s$/\1000/p; s/^$2=([0-9]+)ms$/\1/p" "$units/$1" | tail -n 1; }
handoff_wait=$(default_of handoff-wait)
[[ -n $handoff_wait && $(millis sluice-gateway@.service RestartSec) -lt $((handoff_wait * 500)) ]] || {
  echo "sluice-gateway@.service: RestartSec must be well below --handoff-wait ($handoff_wait s), or a crash costs all clients"
  failed=1
}
grep -qxF 'TimeoutStartFailureMode=kill' "$units/sluice-gateway@.service" || {
  echo "sluice-gateway@.service: a start that takes too long must not drain: no TimeoutStartFailureMode=kill"
  failed=1
}
[[ $(setting sluice-keeper@.service LimitNOFILE) -ge $((connections + 600)) ]] || {
  echo "sluice-keeper@.service: LimitNOFILE does not suffice for --max-connections ($connections and 600)"
  failed=1
}
for unit in "$units"/*.service; do
  ! grep -nE '^(BindsTo|PartOf|Requires|Requisite|PropagatesStopTo|StopPropagatedFrom)=' "$unit" || {
    echo "$unit: relay, gateways and keepers outlive each other: nothing may stop or restart one with the other"
    failed=1
  }
  for want in Type=notify RuntimeDirectoryPreserve=yes; do
    grep -qxF "$want" "$unit" || {
      echo "$unit: no $want"
      failed=1
    }
  done
done
exit "$failed"
