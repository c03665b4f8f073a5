# A fresh Debian root in $root, made from what this machine's own apt uses. Sourced; $root, $dir (for logs), `say` and `die` are the
# caller's, in a mount namespace of its own.
# shellcheck shell=bash disable=SC2154

step_seconds_max=900 # any single step that uses the network

in_root() { timeout "$step_seconds_max" chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
apt() { in_root apt-get -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root "$@" >>"$dir/apt.log" 2>&1 || {
  tail -n 40 "$dir/apt.log" >&2
  die "apt-get $*"
}; }

# What this machine's own apt uses: the first mirror that is named, with its settings, certificates and resolver.
mirror=$({ cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true; } |
  sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p' | head -n 1)
# make_root PACKAGES: with these beside the minimum, comma between.
make_root() {
  say 'a fresh Debian root'
  timeout "$step_seconds_max" debootstrap --variant=minbase --include="$1" bookworm "$root" "$mirror" >"$dir/debootstrap.log" 2>&1 || {
    tail -n 20 "$dir/debootstrap.log" >&2
    die debootstrap
  }
  cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  cp -rL /etc/ssl/certs/. "$root/etc/ssl/certs/" 2>/dev/null || true
  mount -t proc proc "$root/proc"
  apt update
}
