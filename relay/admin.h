// The admin listener: serves AdminPages over HTTP, GET alone, one request per connection. Own code,
// because libevent 2.1's HTTP server has no bound on its connections, and its time-outs start again
// with each byte, so that a peer that dribbles keeps its connection for good.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/admin_pages.h"
#include "common/clock.h"
#include "common/unique_fd.h"
#include "relay/admin_connection.h"
#include "relay/event_handles.h"
#include "relay/socket_listener.h"

namespace sluice::relay {

/// Counters, never reset, but for the first.
struct AdminStats {
  std::size_t connections = 0;  ///< now
  std::uint64_t requests = 0;
  std::uint64_t refused_full = 0;
  std::uint64_t refused_malformed = 0;
  std::uint64_t refused_timeout = 0;
};

class AdminServer final : public AdminConnectionOwner {
 public:
  /// `socket` listens; `pages` outlives this.
  AdminServer(event_base* base, UniqueFd socket, const AdminPages& pages, const TimeSource& time);
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  /// Call every kTickInterval.
  void tick() { listener_.tick(); }
  /// Whether connections are accepted.
  void take_in(bool on) { listener_.accept_on(on); }
  [[nodiscard]] int descriptor() const { return listener_.descriptor(); }
  /// What it is bound to.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const AdminStats& stats() const { return stats_; }
  [[nodiscard]] std::uint64_t accept_errors() const { return listener_.errors(); }

 private:
  HttpReply admin_page(std::string_view method, std::string_view target) override;
  void admin_malformed() override { ++stats_.refused_malformed; }
  void admin_timed_out() override { ++stats_.refused_timeout; }
  void admin_closed(AdminConnection& connection) override;

  void admit(UniqueFd fd);
  void free_closed();

  event_base* base_;
  const AdminPages& pages_;
  std::string name_;
  AdminStats stats_;
  EventPtr free_event_;
  std::unordered_map<AdminConnection*, std::unique_ptr<AdminConnection>> connections_;
  std::vector<AdminConnection*> closed_;
  SocketListener listener_;
};

}  // namespace sluice::relay
