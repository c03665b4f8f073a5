#include "gateway/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/log.h"

namespace sluice::gateway {
namespace {

constexpr Duration kLogInterval = std::chrono::seconds(1);

[[nodiscard]] ClientAddress peer_address(const sockaddr_storage& storage) {
  ClientAddress peer;
  if (storage.ss_family == AF_INET) {
    peer.port = ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
  } else if (storage.ss_family == AF_INET6) {
    peer.port = ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
  } else {
    peer.is_unix = true;
    return peer;
  }
  peer.ip = IpAddress::from_sockaddr(reinterpret_cast<const sockaddr&>(storage));
  return peer;
}

}  // namespace

Listener::Listener(EventLoop& loop, UniqueFd fd, const TimeSource& time, ListenerStats& stats,
                   OnAccept on_accept)
    : fd_(std::move(fd)),
      time_(time),
      stats_(stats),
      on_accept_(std::move(on_accept)),
      io_(loop, fd_.get(), [this](IoEvents) { accept_batch(); }),
      resume_(loop, [this] { io_.watch(kIoRead); }) {
  io_.watch(kIoRead);
}

void Listener::accept_batch() {
  for (std::size_t i = 0; i < kAcceptsPerTurn; ++i) {
    if (!accept_one() || !open()) return;
  }
}

void Listener::accept_waiting() {
  for (std::size_t i = 0; i < kAcceptsWaitingMax && open() && !paused(); ++i) {
    if (!accept_one()) return;
  }
}

void Listener::close() {
  io_.watch(kIoNone);
  resume_.stop();
  fd_.reset();
}

bool Listener::accept_one() {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  UniqueFd fd(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &size,
                        SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) return on_accept_error(errno);
  ++stats_.accepted;
  const ClientAddress peer = peer_address(storage);
  if (!peer.is_unix) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  on_accept_(std::move(fd), peer);
  return true;
}

bool Listener::on_accept_error(int error) {
  switch (error) {
    case EAGAIN:
      return false;
    case EINTR:
      return true;
    // accept(2) hands out what already befell the new connection; the next one may be well.
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      ++stats_.aborted;
      return true;
    default:
      break;
  }
  ++stats_.pauses;
  io_.watch(kIoNone);
  resume_.start_once(kAcceptPause);
  const TimePoint now = time_.now();
  if (!logged_at_ || now - *logged_at_ >= kLogInterval) {
    logged_at_ = now;
    const bool no_descriptors = error == EMFILE || error == ENFILE;
    log_warn("accepting pauses for 100 ms: {}{}", std::strerror(error),
             no_descriptors ? " (raise LimitNOFILE= or lower --max-connections)" : "");
  }
  return false;
}

}  // namespace sluice::gateway
