// Serves the admin pages over HTTP/1.0 and 1.1: GET, one request per connection, reading only.
// Never on the client port.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "common/admin_pages.h"
#include "gateway/event_loop.h"
#include "gateway/http_head.h"
#include "gateway/lingering_close.h"
#include "gateway/listener.h"

namespace sluice::gateway {

/// Requests and replies under way together; one more is answered with 503.
inline constexpr std::size_t kAdminConnectionsMax = 64;
/// For the request, and again for the reply.
inline constexpr Duration kAdminTimeout = std::chrono::seconds(5);

class AdminListener {
 public:
  /// `pages` outlives it.
  AdminListener(EventLoop& loop, UniqueFd listening, const AdminPages& pages,
                const TimeSource& time);
  ~AdminListener();
  AdminListener(const AdminListener&) = delete;
  AdminListener& operator=(const AdminListener&) = delete;

  [[nodiscard]] std::size_t connections() const { return reading_.size() + closing_.size(); }

 private:
  struct Connection;

  void take(UniqueFd fd, const ClientAddress& peer);
  void on_readable(Connection& connection);
  void answer(Connection& connection);
  void finish(Connection& connection, std::string reply);
  void expire();

  EventLoop& loop_;
  const AdminPages& pages_;
  const TimeSource& time_;
  ListenerStats stats_;
  std::list<Connection> reading_;  ///< in order of their deadlines
  LingeringCloser closing_;
  Timer expiry_;
  Listener listener_;
};

}  // namespace sluice::gateway
