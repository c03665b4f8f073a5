# ./dev bench --peers: other people's servers, as Debian and npm have them. Sourced by dev.d/bench.sh; `prepare_peers` is the entry.
# shellcheck shell=bash

# The Debian packages are dev's group `peers`: nothing of them is started as a service. The npm packages are those of the lock file.
prepare_peers() {
  install_packages peers
  bench/fanout/peers/node/install >&2 || die "the npm packages of the peers can't be installed: see above"
}
