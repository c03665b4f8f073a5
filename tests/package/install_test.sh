#!/usr/bin/env bash
# The Debian package in a fresh Debian root: it installs, both daemons run by their units' own command lines and carry a message
# from gateway to gateway, the manual pages render, removal and purge leave nothing.
# Needs root, namespaces, debootstrap and the machine's Debian mirror; where one of these is missing it says so and is skipped.
# Usage: install_test.sh DEB
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf 'package-test: %s\n' "$*" >&2; }
die() {
  say "FAILED: $*"
  exit 1
}
skip() {
  printf '\n*** package-test SKIPPED: %s ***\n\n' "$*" >&2
  exit 0
}

[[ $EUID -eq 0 ]] || skip 'needs root (debootstrap, chroot, namespaces)'
for tool in debootstrap unshare chroot ip; do
  command -v "$tool" >/dev/null || skip "$tool is missing: ./dev install package"
done
# A mount and a process namespace for all of it: what it mounts and starts is gone with it. Its files are removed from outside, where
# nothing is mounted over them.
if [[ -z ${SLUICE_PACKAGE_TEST_DIR:-} ]]; then
  [[ -f ${1:-} ]] || die 'usage: install_test.sh DEB'
  unshare --mount --pid --fork --kill-child --net true 2>/dev/null || skip 'no namespaces may be made here'
  SLUICE_PACKAGE_TEST_DIR=$(mktemp -d)
  export SLUICE_PACKAGE_TEST_DIR
  trap 'rm -rf --one-file-system "$SLUICE_PACKAGE_TEST_DIR"' EXIT
  unshare --mount --pid --fork --kill-child bash "$here/install_test.sh" "$(readlink -f "$1")"
  exit
fi
deb=$1 dir=$SLUICE_PACKAGE_TEST_DIR root=$SLUICE_PACKAGE_TEST_DIR/root

# ---- the root

# shellcheck source=tests/package/root.sh
source "$here/root.sh"
[[ -n $mirror ]] || skip 'no Debian mirror in the apt sources of this machine'

# What the package needs, and man: installed before, so that the lists differ by the package alone.
install_dependencies() {
  say 'dependencies'
  apt install man-db
  apt satisfy "$(dpkg-deb -f "$deb" Depends)"
}

# Every file that is not a cache, a log, the package manager's own or systemctl's (/run, but for ours); who has an account.
list_files() {
  (
    cd "$root"
    find . -xdev \( -path ./proc -o -path ./tmp -o -path ./run/systemd -o -path ./var/cache -o -path ./var/log -o -path ./var/lib/apt -o -path ./var/lib/dpkg \) -prune \
      -o ! -name '*-' -printf '%p\n' | sort
    cut -d : -f 1 etc/passwd etc/group etc/shadow | sort
  )
}

# ---- what is checked

# No service manager runs in the root: the relay is enabled, nothing starts.
check_installed() {
  [[ -L $root/etc/systemd/system/multi-user.target.wants/sluice-relay.service ]] || die 'the relay is not enabled'
  in_root getent passwd sluice >/dev/null || die 'no user sluice'
  if ! in_root systemd-analyze verify --recursive-errors=yes sluice-relay.service sluice-gateway@1111.service sluice-keeper@1111.service sluice.slice \
    >"$dir/verify" 2>&1 || [[ -s $dir/verify ]]; then
    cat "$dir/verify" >&2
    die 'systemd-analyze verify on the installed units'
  fi
}

check_manual() {
  local page text
  for page in $(dpkg-deb -c "$deb" | sed -nE 's#.*/man[18]/(.*)\.[18]\.gz$#\1#p'); do
    text=$(in_root man --warnings=w "$page" 2>"$dir/man.err") || die "man $page"
    [[ ! -s $dir/man.err ]] || die "man $page: $(cat "$dir/man.err")"
    [[ $text == *SYNOPSIS*OPTIONS* && $text == *--* ]] || die "man $page renders nothing"
    say "man $page: $(wc -l <<<"$text") lines"
  done
}

check_removal() {
  say 'remove'
  apt remove sluice
  [[ ! -e $root/usr/bin/sluice-relay && ! -e $root/lib/systemd/system/sluice-relay.service ]] || die 'remove left programs or units'
  grep -qF 'broker-changed-by-hand' "$root/etc/sluice/relay.toml" || die 'remove took settings away: only purge may'
  say 'purge'
  apt purge sluice
  list_files >"$dir/purged"
  diff "$dir/before" "$dir/purged" >"$dir/left" || {
    cat "$dir/left" >&2
    die 'purge left these (>), or took more than its own (<)'
  }
}

make_root ca-certificates
install_dependencies
list_files >"$dir/before"
say 'install'
cp "$deb" "$root/tmp/sluice.deb"
apt install /tmp/sluice.deb
list_files >"$dir/installed"
say "$(diff "$dir/before" "$dir/installed" | grep -c '^>') files and accounts came with it"
check_installed
check_manual
# Settings of the administrator's, as the README has them.
for id in 1111 2222; do
  sed "s/1111/$id/; s/1112/$((id + 1))/; s/1113/$((id + 2))/" "$root/usr/share/doc/sluice/examples/gateway-1111.env" >"$root/etc/sluice/gateway-$id.env"
  in_root systemctl enable "sluice-gateway@$id.service" 2>/dev/null || die "systemctl enable sluice-gateway@$id"
done
unshare --net --pid --fork --kill-child bash "$here/run_units.sh" "$root" || die 'the daemons, see above'
echo '# broker-changed-by-hand' >>"$root/etc/sluice/relay.toml"
say 'the same version again, as an upgrade'
apt install --reinstall /tmp/sluice.deb
grep -qF 'broker-changed-by-hand' "$root/etc/sluice/relay.toml" || die 'an upgrade overwrote settings'
check_removal
say 'passed: installed, ran, removed without a trace'
