#include "gateway/balancer_peer.h"

#include <sys/socket.h>

namespace sluice::gateway {

std::string balancer_name(const ClientAddress& peer) {
  return peer.is_unix ? "unix" : to_string(peer.ip);
}

bool has_hung_up(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) == 0;
}

}  // namespace sluice::gateway
