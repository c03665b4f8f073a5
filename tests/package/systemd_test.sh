#!/usr/bin/env bash
# The units under a real systemd, as process 1 of a container with the package installed: a client outlives what `systemctl restart`,
# `reload` and crashes do to gateway, relay and keeper, and a `stop` drains it. systemd_drive.sh says step by step.
# Needs what install_test.sh needs, and podman; where one is missing it says so and is skipped.
# Usage: systemd_test.sh DEB
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
boot_seconds_max=60
drive_seconds_max=300

say() { printf 'systemd-test: %s\n' "$*" >&2; }
die() {
  say "FAILED: $*"
  exit 1
}
skip() {
  printf '\n*** systemd-test SKIPPED: %s ***\n\n' "$*" >&2
  exit 0
}

[[ $EUID -eq 0 ]] || skip 'needs root (debootstrap, chroot, podman)'
for tool in debootstrap unshare chroot podman runc; do
  command -v "$tool" >/dev/null || skip "$tool is missing: ./dev install package compose"
done
[[ -f ${1:-} ]] || die 'usage: systemd_test.sh DEB'
deb=$(readlink -f "$1")

# ---- the root: in a mount namespace, so that nothing stays mounted

if [[ -n ${SLUICE_SYSTEMD_TEST_DIR:-} ]]; then
  dir=$SLUICE_SYSTEMD_TEST_DIR root=$SLUICE_SYSTEMD_TEST_DIR/root
  # shellcheck source=tests/package/root.sh
  source "$here/root.sh"
  [[ -n $mirror ]] || die 'no Debian mirror in the apt sources of this machine'
  make_root ca-certificates,systemd,systemd-sysv,dbus,procps
  cp "$deb" "$root/tmp/sluice.deb"
  apt install /tmp/sluice.deb
  cp "$root/usr/share/doc/sluice/examples/gateway-1111.env" "$root/etc/sluice/"
  # The client takes texts alone.
  echo 'SLUICE_GATEWAY_PING_INTERVAL=10m' >>"$root/etc/sluice/gateway-1111.env"
  in_root systemctl enable sluice-gateway@1111.service 2>/dev/null || die 'systemctl enable'
  install -m 755 "$here/systemd_drive.sh" "$here/client.sh" "$root/usr/local/bin/"
  exit
fi
unshare --mount --pid --fork --kill-child --net true 2>/dev/null || skip 'no namespaces may be made here'
SLUICE_SYSTEMD_TEST_DIR=$(mktemp -d)
export SLUICE_SYSTEMD_TEST_DIR
trap 'rm -rf --one-file-system "$SLUICE_SYSTEMD_TEST_DIR"' EXIT
unshare --mount --pid --fork --kill-child bash "$here/systemd_test.sh" "$deb"

# ---- the container

# shellcheck source=tests/compose/engine.sh
source "$here/../compose/engine.sh"
name=sluice-systemd
ex() { podman exec "$name" "$@"; }
clean() {
  engine_clean
  umount "$state/store/overlay" 2>/dev/null || true # podman's own bind mount
  # Helper processes end a moment after their container.
  [[ -z $run_state ]] || rm -rf --one-file-system "$run_state" 2>/dev/null || { sleep 2 && rm -rf --one-file-system "$run_state"; } || say "$run_state stays"
  rm -rf --one-file-system "$SLUICE_SYSTEMD_TEST_DIR"
}
trap clean EXIT
engine_setup "$SLUICE_SYSTEMD_TEST_DIR" || skip "podman does not work: $(tail -n 1 "$state/driver.log")"

up() { [[ $(ex systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]; }
say 'systemd begins'
podman run -d --name "$name" --systemd=always --privileged --network none --tmpfs /run --tmpfs /tmp \
  --rootfs "$SLUICE_SYSTEMD_TEST_DIR/root" /sbin/init >/dev/null 2>"$SLUICE_SYSTEMD_TEST_DIR/run.log" ||
  skip "a container does not run here: $(tail -n 1 "$SLUICE_SYSTEMD_TEST_DIR/run.log")"
deadline=$((SECONDS + boot_seconds_max))
until up; do
  [[ $SECONDS -lt $deadline ]] || skip 'systemd does not come up as process 1 of a container here'
  sleep 0.5
done
timeout "$drive_seconds_max" podman exec "$name" bash /usr/local/bin/systemd_drive.sh || {
  ex journalctl --no-pager -o cat -u 'sluice-*' | tail -n 80 >&2
  die 'see above'
}
say 'passed'
