#!/bin/sh
# As the official image: the server runs as user redis, and without protected mode, which a container's network replaces.
set -e
case ${1:-} in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
  set -- "$@" --protected-mode no
  [ "$(id -u)" != 0 ] || exec setpriv --reuid redis --regid redis --init-groups -- "$@"
fi
exec "$@"
