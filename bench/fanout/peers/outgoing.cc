#include "bench/fanout/peers/outgoing.h"

#include <sys/socket.h>

#include <cerrno>

namespace sluice::fanout {

bool Outgoing::send_to(int fd) {
  while (sent_ < bytes_.size()) {
    const ssize_t sent =
        ::send(fd, bytes_.data() + sent_, bytes_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    sent_ += static_cast<std::size_t>(sent);
  }
  bytes_.clear();
  sent_ = 0;
  return true;
}

}  // namespace sluice::fanout
