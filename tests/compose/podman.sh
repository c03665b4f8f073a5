#!/usr/bin/env bash
# podman for podman-compose 1.0 (Debian 12), which does not know `network_mode: service:NAME`: it hands the words to podman as they
# stand, and names the service's own network beside them. Here they become what newer releases make of them.
# Usage: podman.sh WORDS OF podman...   SLUICE_COMPOSE_PROJECT: the compose project's name.
# The image is built with this machine's compiler cache: what the release build of the tree has compiled is not compiled again.
set -euo pipefail
words=()
if [[ ${1:-} == build ]] && cache=$(ccache --get-config cache_dir 2>/dev/null) && [[ -d $cache ]]; then
  words=(build --volume "$cache:/ccache")
  shift
fi
joins=false
while [[ $# -gt 0 ]]; do
  case "$1 ${2:-}" in
    '--network service:'*)
      joins=true
      words+=(--network "container:${SLUICE_COMPOSE_PROJECT}_${2#service:}_1")
      shift
      ;;
    '--net '* | '--network-alias '*)
      if $joins; then shift; else words+=("$1"); fi
      ;;
    *) words+=("$1") ;;
  esac
  shift
done
exec podman "${words[@]}"
