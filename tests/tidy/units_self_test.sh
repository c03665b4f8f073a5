#!/usr/bin/env bash
# units.sh must complain about broken units: a copy of ours with one fault at a time.
set -euo pipefail

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
failed=0
# expect TEXT FILE SED_EXPRESSION: with that edit units.sh fails and says TEXT.
expect() {
  local text=$1 file=$2 edit=$3 said
  cp systemd/*.service systemd/*.slice "$copy/"
  sed -i -E "$edit" "$copy/$file"
  ! cmp -s "$copy/$file" "systemd/$file" || {
    echo "'$edit' changes nothing in $file"
    failed=1
  }
  if said=$(bash tests/tidy/units.sh "$copy"); then
    echo "not noticed: '$edit' in $file"
    failed=1
  elif [[ $said != *"$text"* ]]; then
    echo "'$edit' in $file: '$text' is not in: $said"
    failed=1
  fi
}

expect "Unknown key 'RestartSteps'" sluice-relay.service 's/^RestartSec=.*/&\nRestartSteps=5/'
expect 'Unknown section' sluice-relay.service 's/^\[Install\]$/[Instal]/'
expect 'is not executable' sluice-gateway@.service 's#^ExecStart=/usr/bin/sluice-gateway#ExecStart=/usr/bin/no-such-program#'
expect 'Failed to parse' sluice-gateway@.service 's/^WatchdogSec=.*/WatchdogSec=soon/'
expect 'Failed to parse' sluice-relay.service 's/^NoNewPrivileges=yes/NoNewPrivileges=perhaps/'
expect 'is more exposed' sluice-relay.service '/^(CapabilityBoundingSet|ProtectSystem|SystemCallFilter|NoNewPrivileges|User|RestrictNamespaces)=/d'
expect 'TimeoutStopSec' sluice-gateway@.service 's/^TimeoutStopSec=.*/TimeoutStopSec=30s/'
expect 'LimitNOFILE' sluice-gateway@.service 's/^LimitNOFILE=.*/LimitNOFILE=10000/'
expect 'RestartSec must be well below' sluice-gateway@.service 's/^RestartSec=.*/RestartSec=5s/'
expect 'must not drain' sluice-gateway@.service '/^TimeoutStartFailureMode=/d'
expect 'sluice-keeper@.service: LimitNOFILE' sluice-keeper@.service 's/^LimitNOFILE=.*/LimitNOFILE=10000/'
expect 'outlive each other' sluice-gateway@.service 's/^Wants=/BindsTo=/'
expect 'no RuntimeDirectoryPreserve' sluice-relay.service '/^RuntimeDirectoryPreserve/d'
expect "Unknown key 'CPUAccountin'" sluice.slice 's/^CPUAccounting/CPUAccountin/'
exit "$failed"
