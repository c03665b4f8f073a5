#include "gateway/relay_connection.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/address.h"
#include "common/log.h"
#include "common/try_again.h"
#include "gateway/limits.h"

namespace sluice::gateway {
RelayConnection::RelayConnection(EventLoop& loop, std::string path, RelayLink& link, Random& random,
                                 std::function<bool()> congested)
    : loop_(loop),
      path_(std::move(path)),
      link_(link),
      congested_(std::move(congested)),
      backoff_(kLinkRetryMin, kLinkRetryMax, random),
      retry_(loop, [this] { dial(); }) {
}

void RelayConnection::start() {
  dial();
}

void RelayConnection::dial() {
  Result<UniqueFd> connected = connect_unix(path_);
  if (!connected) {
    retry_later(connected.error().message);
    return;
  }
  fd_ = std::move(*connected);
  writing_ = false;
  watcher_.emplace(loop_, fd_.get(), [this](IoEvents ready) { on_ready(ready); });
  watcher_->watch(kIoRead);
  link_.connected();
  flush();
}

void RelayConnection::retry_later(const std::string& why) {
  if (why != last_complaint_) {
    last_complaint_ = why;
    log_warn("waiting for the relay at unix:{}: {}", path_, why);
  }
  retry_.start_once(backoff_.next());
}

void RelayConnection::give_up(const std::string& why) {
  watcher_.reset();
  fd_.reset();
  link_.disconnected();
  retry_later(why);
}

void RelayConnection::on_ready(IoEvents events) {
  if ((events & kIoRead) != 0) read_some();
  if (fd_.valid() && (events & kIoWrite) != 0) flush();
}

void RelayConnection::read_some() {
  std::size_t total = 0;
  // A congested loop does not sleep, so it is asked again in the next turn.
  while (total < kLinkReadBytesPerTurn && !congested_()) {
    const auto room = link_.prepare();
    const ssize_t n = ::recv(fd_.get(), room.data(), room.size(), MSG_DONTWAIT);
    if (n < 0 && try_again(errno)) return;
    if (n <= 0) {
      give_up(n == 0 ? "the relay closed the link"
                     : std::string("the link broke: ") + std::strerror(errno));
      return;
    }
    if (auto handled = link_.commit(static_cast<std::size_t>(n)); !handled) {
      give_up(handled.error().message);
      return;
    }
    if (link_.up() && !last_complaint_.empty()) last_complaint_.clear();
    if (link_.up()) backoff_.reset();
    total += static_cast<std::size_t>(n);
    if (static_cast<std::size_t>(n) < room.size()) return;
  }
}

void RelayConnection::flush() {
  while (fd_.valid() && !link_.output().empty()) {
    const std::string_view out = link_.output();
    const ssize_t n = ::send(fd_.get(), out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
      // Wanting buffers, it is writable and takes nothing: the next tick tries again.
      const bool starved = errno == ENOBUFS;
      if (starved || try_again(errno)) {
        watch(!starved);
        return;
      }
      give_up(std::string("the link broke: ") + std::strerror(errno));
      return;
    }
    link_.sent(static_cast<std::size_t>(n));
  }
  if (fd_.valid()) watch(false);
}

void RelayConnection::watch(bool for_writing) {
  if (for_writing == writing_) return;
  writing_ = for_writing;
  watcher_->watch(for_writing ? kIoRead | kIoWrite : kIoRead);
}

void RelayConnection::tick() {
  const auto result = link_.tick();
  if (!result) {
    give_up(result.error().message);
    return;
  }
  flush();
}

}  // namespace sluice::gateway
