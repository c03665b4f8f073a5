#include "gateway/lingering_close.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace sluice::gateway {

LingeringCloser::Closing::Closing(EventLoop& loop, UniqueFd socket, std::string bytes,
                                  LingeringCloser& closer)
    : fd(std::move(socket)),
      reply(std::move(bytes)),
      owner(closer),
      io(loop, fd.get(), [this](IoEvents) { owner.step(*this); }) {
}

LingeringCloser::LingeringCloser(EventLoop& loop, LingeringOptions options, const TimeSource& time)
    : loop_(loop), options_(options), time_(time), expiry_(loop, [this] { expire(); }) {
}

void LingeringCloser::close(UniqueFd fd, std::string reply) {
  if (closing_.size() >= options_.connections_max) {
    ++hasty_;
    [[maybe_unused]] const auto sent =
        ::send(fd.get(), reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::shutdown(fd.get(), SHUT_WR);
    return;
  }
  closing_.emplace_back(loop_, std::move(fd), std::move(reply), *this);
  Closing& closing = closing_.back();
  closing.place = std::prev(closing_.end());
  closing.deadline = time_.now() + options_.time_max;
  if (!expiry_.active()) expiry_.start_once(options_.time_max);
  step(closing);
}

void LingeringCloser::step(Closing& closing) {
  const bool alive = closing.shut || write_reply(closing);
  if (!alive || (closing.shut && !drain(closing))) closing_.erase(closing.place);
}

bool LingeringCloser::write_reply(Closing& closing) {
  while (closing.sent < closing.reply.size()) {
    const ssize_t n = ::send(closing.fd.get(), closing.reply.data() + closing.sent,
                             closing.reply.size() - closing.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      closing.io.watch(kIoWrite);
      return true;
    }
    if (n < 0) return false;
    closing.sent += static_cast<std::size_t>(n);
  }
  ::shutdown(closing.fd.get(), SHUT_WR);
  closing.shut = true;
  closing.reply = {};
  closing.io.watch(kIoRead);
  return true;
}

bool LingeringCloser::drain(Closing& closing) {
  std::array<char, 4096> dropped;
  while (closing.drained < options_.drain_bytes_max) {
    const ssize_t n = ::recv(closing.fd.get(), dropped.data(), dropped.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) return false;
    closing.drained += static_cast<std::size_t>(n);
  }
  return false;
}

void LingeringCloser::expire() {
  const TimePoint now = time_.now();
  while (!closing_.empty() && closing_.front().deadline <= now) closing_.pop_front();
  if (!closing_.empty()) expiry_.start_once(closing_.front().deadline - now);
}

}  // namespace sluice::gateway
