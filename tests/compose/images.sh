# The images that the stack stands on. Where a registry can be reached, the official ones; else stand-ins of the same names and
# contracts, made from Debian's packages. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154

base_image=docker.io/library/debian:bookworm-slim
official_images=("$base_image" docker.io/library/haproxy:2.6 docker.io/library/redis:7)
pull_seconds=90
debootstrap_seconds=240

have_images() {
  local image
  for image in "$@"; do podman image exists "$image" || return 1; done
}

# All of them or none: no mixture.
pull_images() {
  local image
  for image in "${official_images[@]}"; do
    podman image exists "$image" || timeout "$pull_seconds" podman pull -q "$image" >/dev/null 2>"$state/pull.log" || return 1
  done
}

# The machine's own sources of Debian 12, as lines of a sources.list.
debian_sources() {
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(CODENAME) $(COMPONENT)' 2>/dev/null |
    sed -nE 's/^Debian (.+ bookworm[a-z-]* main)$/deb \1/p' | sort -u
}

# Proxies and the like, which a build in a container needs just so.
apt_settings() { apt-config dump | grep -E '^Acquire::(http|https)::Proxy|^Acquire::Check-Valid-Until|^Acquire::Retries' || true; }

make_base_image() {
  local tree mirror
  mirror=$(debian_sources | sed -nE 's/^deb (.+) bookworm main$/\1/p' | head -n 1)
  [[ -n $mirror ]] || {
    say "no Debian 12 among this machine's package sources: no base image can be made"
    return 1
  }
  tree=$(mktemp -d "$state/base.XXXXXX")
  if ! timeout "$debootstrap_seconds" debootstrap --variant=minbase --include=ca-certificates bookworm "$tree" "$mirror" \
    >"$state/debootstrap.log" 2>&1; then
    tail -n 5 "$state/debootstrap.log" >&2
    rm -rf --one-file-system "$tree"
    return 1
  fi
  debian_sources >"$tree/etc/apt/sources.list"
  apt_settings >"$tree/etc/apt/apt.conf.d/90machine"
  # As in the official image: what dies with the build need not be flushed to the disk, file by file.
  echo force-unsafe-io >"$tree/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"
  rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/lib/apt/lists/*
  tar -C "$tree" -c . | podman import -q -c 'CMD ["bash"]' - "$base_image" >/dev/null
  rm -rf --one-file-system "$tree"
}

# base_images: at least the one that a probe can run.
base_images() {
  if have_images "${official_images[@]}" || pull_images; then return 0; fi
  podman image exists "$base_image" && return 0
  say "no registry within reach: making the base image from this machine's Debian mirror"
  make_base_image
}

# The other two, from the base image.
stand_ins() {
  local image name
  for image in "${official_images[@]:1}"; do
    podman image exists "$image" && continue
    name=${image##*/}
    say "no registry within reach: stand-in for ${name%:*} from Debian's package"
    timeout 240 podman build -q -t "$image" "$here/${name%:*}" >"$state/stand-in.log" 2>&1 || {
      tail -n 20 "$state/stand-in.log" >&2
      return 1
    }
  done
}
