# The container engine of the compose test: podman with a store, networks and a configuration of the test's own, so that nothing of
# the machine's is seen or touched. Sourced by run.sh.
# shellcheck shell=bash

# Set by engine_setup:
state=''    # images and layers, kept between runs as a cache; lies in the build directory
run_state='' # sockets and locks of running containers; short, because of the length of socket paths
project=sluice-compose-test

# A store with more images than this is thrown away: old layers are of no use.
images_max=60

write_containers_conf() {
  # Limits: podman's own defaults need the right to raise limits. runc, because crun 1.8 refuses hybrid cgroups.
  cat >"$state/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "$run_state/libpod"
volume_path = "$state/volumes"
[network]
network_backend = "netavark"
network_config_dir = "$state/networks"
CONF
  printf 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "permissive"\n' >"$state/registries.conf"
}

write_storage_conf() { # DRIVER [OPTION-LINE]
  printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "%s"\n' "$1" "$state/store" "$run_state/store" >"$state/storage.conf"
  [[ -z ${2:-} ]] || printf '[storage.options.overlay]\n%s\n' "$2" >>"$state/storage.conf"
}

# The first driver that works here: the kernel's overlay, the one in user space, plain copies.
choose_driver() {
  local driver option
  while read -r driver option; do
    write_storage_conf "$driver" "$option"
    if podman info >/dev/null 2>"$state/driver.log"; then return 0; fi
  done <<'DRIVERS'
overlay
overlay mount_program = "/usr/bin/fuse-overlayfs"
vfs
DRIVERS
  return 1
}

# engine_setup BUILD_DIR: environment and configuration. Fails where podman can't even say what it is.
engine_setup() {
  state=$1/compose
  run_state=${TMPDIR:-/tmp}/sluice-compose-$(cksum <<<"$state" | cut -d ' ' -f 1)
  mkdir -p "$state/networks" "$state/volumes" "$run_state"
  write_containers_conf
  export CONTAINERS_CONF="$state/containers.conf" CONTAINERS_STORAGE_CONF="$state/storage.conf"
  export CONTAINERS_REGISTRIES_CONF="$state/registries.conf" BUILDAH_ISOLATION=chroot
  choose_driver || return 1
  engine_clean
  if [[ $(podman images -aq | wc -l) -gt $images_max ]]; then podman rmi -af >/dev/null 2>&1 || true; fi
}

# Containers, networks, volumes and product images, of this run or of one that was killed. Base images stay as a cache.
engine_clean() {
  podman rm -af -t 0 >/dev/null 2>&1 || true
  podman network prune -f >/dev/null 2>&1 || true
  podman volume prune -f >/dev/null 2>&1 || true
  podman rmi -f --no-prune sluice:local >/dev/null 2>&1 || true
}

# Prints what is left that should not be; nothing when all is clean.
engine_leftovers() {
  podman ps -aq --format 'container {{.Names}}'
  podman network ls --format '{{.Name}}' | grep -vx podman | sed 's/^/network /'
  podman volume ls -q | sed 's/^/volume /'
  podman images --format 'image {{.Repository}}:{{.Tag}}' | grep sluice || true
  # conmon, aardvark-dns and the like have our directories on their command lines.
  pgrep -af -- "$run_state/|$state/" | sed 's/^/process /' || true
}

# can_run IMAGE: a container with a network and a published port, nothing of ours in it. What fails here, the machine forbids.
can_run() {
  local status=0
  { podman network create "$project-probe" && timeout 60 podman run --rm --network "$project-probe" -p 127.0.0.1::1 "$1" true; } \
    >"$state/probe.log" 2>&1 || status=1
  podman network rm -f "$project-probe" >/dev/null 2>&1 || true
  return "$status"
}
