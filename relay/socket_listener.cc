#include "relay/socket_listener.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "relay/limits.h"

namespace sluice::relay {

SocketListener::SocketListener(event_base* base, UniqueFd socket, std::string what,
                               const TimeSource& time, OnAccept on_accept)
    : socket_(std::move(socket)),
      what_(std::move(what)),
      time_(time),
      on_accept_(std::move(on_accept)),
      event_(make_event<&SocketListener::on_acceptable>(base, socket_.get(), EV_READ | EV_PERSIST,
                                                        this)) {
  event_add(event_.get(), nullptr);
}

void SocketListener::on_acceptable() {
  for (int i = 0; i < kAcceptsPerTurnMax; ++i) {
    UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.valid()) {
      on_accept_(std::move(fd));
      continue;
    }
    // One that went away before it was accepted is no news.
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) pause(errno);
    return;
  }
}

void SocketListener::pause(int error) {
  // Out of descriptors or memory: the socket stays readable, so asking again at once would spin.
  // tick() resumes.
  ++errors_;
  event_del(event_.get());
  paused_ = true;
  const TimePoint now = time_.now();
  if (said_at_ && now - *said_at_ < kAcceptErrorLogInterval) return;
  said_at_ = now;
  const bool no_descriptors = error == EMFILE || error == ENFILE;
  log_error("can't accept {}: {}{}; trying again", what_, std::strerror(error),
            no_descriptors ? " (raise LimitNOFILE=)" : "");
}

void SocketListener::tick() {
  if (!std::exchange(paused_, false)) return;
  event_add(event_.get(), nullptr);
}

void SocketListener::accept_on(bool on) {
  paused_ = false;
  if (on) {
    event_add(event_.get(), nullptr);
  } else {
    event_del(event_.get());
  }
}

void SocketListener::stop() {
  event_del(event_.get());
  paused_ = false;
  socket_.reset();
}

}  // namespace sluice::relay
