#include "relay/gateway_listener.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "proto/encoder.h"
#include "relay/limits.h"

namespace sluice::relay {

using proto::ErrorReason;

GatewayListener::GatewayListener(event_base* base, UniqueFd socket, std::vector<uid_t> allowed_uids,
                                 Router& router, const TimeSource& time)
    : base_(base),
      socket_(std::move(socket)),
      allowed_uids_(std::move(allowed_uids)),
      router_(router),
      time_(time),
      accept_event_(make_event<&GatewayListener::on_acceptable>(base, socket_.get(),
                                                                EV_READ | EV_PERSIST, this)),
      free_event_(make_event<&GatewayListener::free_closed>(base, -1, 0, this)) {
  event_add(accept_event_.get(), nullptr);
}

GatewayListener::~GatewayListener() = default;

// ---- accepting

void GatewayListener::on_acceptable() {
  for (int i = 0; i < kAcceptsPerTurnMax; ++i) {
    UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.valid()) {
      accept_trouble_ = false;
      admit(std::move(fd));
      continue;
    }
    // One that went away before it was accepted is no news.
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) pause_accepting(errno);
    return;
  }
}

void GatewayListener::pause_accepting(int error) {
  // Out of descriptors or memory: the socket stays readable, so asking again at once would spin.
  // tick() resumes.
  ++stats_.accept_errors;
  event_del(accept_event_.get());
  accepting_ = false;
  if (!std::exchange(accept_trouble_, true)) {
    log_error("can't accept a gateway: {}; trying again", std::strerror(error));
  }
}

void GatewayListener::admit(UniqueFd fd) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return;
  if (std::find(allowed_uids_.begin(), allowed_uids_.end(), peer.uid) == allowed_uids_.end()) {
    ++stats_.refused_not_permitted;
    log_warn("refused a link from pid {}: uid {} is not allowed (--allow-uid)", peer.pid, peer.uid);
    return refuse(fd.get(), "uid " + std::to_string(peer.uid) + " is not allowed");
  }
  if (connections_.size() >= router_.options().gateways_max + kToolsMax + kPendingLinksMax) {
    ++stats_.refused_too_many;
    log_warn("refused a link from pid {}: {} are open (--max-gateways)", peer.pid,
             connections_.size());
    return refuse(fd.get(), "too many links (--max-gateways)");
  }
  auto connection =
      std::make_unique<GatewayConnection>(base_, std::move(fd), peer.pid, router_, time_, *this);
  GatewayConnection* key = connection.get();
  connections_.emplace(key, std::move(connection));
}

void GatewayListener::refuse(int fd, std::string_view text) {
  std::string frame;
  proto::encode(frame, proto::ErrorFrame{0, ErrorReason::kNotPermitted, text});
  // A new socket's buffer takes it; if not, the close says enough.
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void GatewayListener::stop_listening() {
  event_del(accept_event_.get());
  accepting_ = false;
  socket_.reset();
}

// ---- connections

void GatewayListener::tick() {
  if (!accepting_ && socket_.valid()) {
    accepting_ = true;
    event_add(accept_event_.get(), nullptr);
  }
  for (const auto& [key, connection] : connections_) connection->tick();
}

void GatewayListener::finish(std::string_view text) {
  for (const auto& [key, connection] : connections_) connection->finish(text);
}

bool GatewayListener::idle() const {
  return std::all_of(connections_.begin(), connections_.end(),
                     [](const auto& one) { return one.second->idle(); });
}

void GatewayListener::connection_open(GatewayConnection& connection) {
  const GatewaySession& session = connection.session();
  if (session.tool()) {
    // Scripts ask every few seconds.
    ++stats_.tools_opened;
    log_debug("tool connected: {}, pid {}", session.software(), connection.peer());
    return;
  }
  ++stats_.opened;
  log_info("gateway {} connected: {}, pid {}, {}", session.gateway_id(), session.software(),
           connection.peer(), session.resumed() ? "resumed" : "fresh");
}

void GatewayListener::connection_closed(GatewayConnection& connection) {
  const GatewaySession& session = connection.session();
  if (!session.tool()) ++stats_.closed;
  if (session.end_reason() != ErrorReason{}) {
    count_refusal(session.end_reason());
    log_warn("ended the link of {} (pid {}): {}",
             session.tool()                 ? "a tool"
             : session.gateway_id().empty() ? "an unnamed peer"
                                            : "gateway " + session.gateway_id(),
             connection.peer(), connection.close_reason());
  } else if (session.tool()) {
    log_debug("tool disconnected: pid {}, {}", connection.peer(), connection.close_reason());
  } else if (session.open()) {
    log_info("gateway {} disconnected: {}", session.gateway_id(), connection.close_reason());
  }
  closed_.push_back(&connection);
  event_active(free_event_.get(), 0, 0);
}

void GatewayListener::count_refusal(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kUnsupportedVersion:
      ++stats_.refused_version;
      break;
    case ErrorReason::kIdInUse:
      ++stats_.refused_in_use;
      break;
    case ErrorReason::kBadId:
      ++stats_.refused_bad_id;
      break;
    case ErrorReason::kNotPermitted:
    case ErrorReason::kTooManyTools:
      ++stats_.refused_too_many;
      break;
    case ErrorReason::kOverrun:
      ++stats_.refused_overrun;
      break;
    default:
      ++stats_.refused_malformed;
      break;
  }
}

void GatewayListener::count_bytes(std::size_t in, std::size_t out) {
  stats_.bytes_in += in;
  stats_.bytes_out += out;
}

void GatewayListener::free_closed() {
  for (GatewayConnection* connection : closed_) connections_.erase(connection);
  closed_.clear();
}

}  // namespace sluice::relay
