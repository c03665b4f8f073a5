#!/usr/bin/env bash
# What is in the Debian package: exactly these files, with these owners and modes; the dependencies that the daemons need;
# maintainer scripts that parse.
# Usage: contents.sh DEB
set -euo pipefail
deb=$1
failed=0
complain() {
  printf '%s\n' "$*"
  failed=1
}

# ---- files
program() { printf '%s\n' "-rwxr-xr-x root/root ./usr/bin/$1" "-rw-r--r-- root/root ./usr/share/man/man$2/$1.$2.gz"; }
wanted=$(
  {
    program sluice-relay 8
    program sluice-gateway 8
    program sluice-keeper 8
    echo '-rwxr-xr-x root/root ./usr/lib/sluice/park-on-restart'
    [[ ! -d ctl ]] || program sluice 1
    for file in etc/sluice/gateway.toml etc/sluice/relay.toml lib/systemd/system/sluice-gateway@.service \
      lib/systemd/system/sluice-keeper@.service lib/systemd/system/sluice-relay.service lib/systemd/system/sluice.slice usr/lib/sysusers.d/sluice.conf \
      usr/share/doc/sluice/FLAGS.md usr/share/doc/sluice/HOOKS.md usr/share/doc/sluice/METRICS.md usr/share/doc/sluice/README.md usr/share/doc/sluice/RESTARTS.md \
      usr/share/doc/sluice/RULES.md usr/share/doc/sluice/TOKENS.md usr/share/doc/sluice/openapi.yaml usr/share/doc/sluice/examples/rules.example.toml \
      usr/share/doc/sluice/README.systemd.md usr/share/doc/sluice/changelog.Debian.gz usr/share/doc/sluice/changelog.gz \
      usr/share/doc/sluice/copyright usr/share/doc/sluice/examples/gateway-1111.env \
      usr/share/doc/sluice/examples/haproxy-dynamic.cfg usr/share/doc/sluice/examples/haproxy-tls.cfg \
      usr/share/doc/sluice/examples/haproxy-unix.cfg usr/share/doc/sluice/examples/haproxy.cfg usr/share/lintian/overrides/sluice; do
      printf -- '-rw-r--r-- root/root ./%s\n' "$file"
    done
  } | sort
)
got=$(dpkg-deb -c "$deb" | awk '$1 !~ /^d/ { print $1, $2, $6 }' | sort)
diff <(echo "$wanted") <(echo "$got") || complain 'files: < wanted, > in the package'
others=$(dpkg-deb -c "$deb" | awk '$1 ~ /^d/ && ($1 != "drwxr-xr-x" || $2 != "root/root")')
[[ -z $others ]] || complain "directories that are not root's with mode 755: $others"

# ---- control
field() { dpkg-deb -f "$deb" "$1"; }
version=$(sed -nE 's/^project\(sluice VERSION ([0-9.]+) .*/\1/p' CMakeLists.txt)
[[ $(field Package) == sluice && $(field Version) == "$version"-* ]] || complain "it is $(field Package) $(field Version), not sluice $version-…"
[[ $(field Architecture) == "$(dpkg --print-architecture)" ]] || complain "architecture $(field Architecture)"
depends=$(field Depends)
for package in libwebsockets17 libwebsockets-evlib-ev libev4 libevent-2.1-7 libhiredis0.14 libisal2 liburing2 libsimdjson14 libcurl4 libjwt0 libssl3 libprotobuf-lite32 \
  libc6 libstdc++6 systemd; do
  [[ ", $depends" =~ ,\ "$package"[,\ ] ]] || complain "no dependency on $package: $depends"
done

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
dpkg-deb -e "$deb" "$dir/control"
for script in postinst prerm postrm; do
  [[ -x $dir/control/$script ]] || complain "$script is missing, or can't be executed"
  sh -n "$dir/control/$script" || complain "$script does not parse"
done
diff <(dpkg-deb -c "$deb" | sed -n 's#.* \./etc/#/etc/#p' | grep -v '/$' | sort) "$dir/control/conffiles" || complain 'conffiles are not what is in /etc'

# ---- programs
dpkg-deb -x "$deb" "$dir/tree"
for program in "$dir"/tree/usr/bin/*; do
  if readelf -S "$program" | grep -q '\.debug_info'; then complain "$program is not stripped"; fi
  [[ $("$program" --version 2>/dev/null || "$program" version) == *"$version" ]] || complain "$program is not version $version"
done
exit "$failed"
