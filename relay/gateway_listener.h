// Accepts relay links: peer credentials checked, numbers bounded, connections owned.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/clock.h"
#include "common/unique_fd.h"
#include "relay/event_handles.h"
#include "relay/gateway_connection.h"
#include "relay/refusal_log.h"
#include "relay/router.h"
#include "relay/socket_listener.h"

namespace sluice::relay {

/// Counters, never reset.
struct LinkStats {
  // Of gateways, and of who never became anything.
  std::uint64_t opened = 0;  ///< said HELLO and were welcomed
  std::uint64_t closed = 0;
  std::uint64_t tools_opened = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  // Links that ended with an ERROR.
  std::uint64_t refused_malformed = 0;
  std::uint64_t refused_version = 0;
  std::uint64_t refused_in_use = 0;
  std::uint64_t refused_bad_id = 0;
  std::uint64_t refused_not_permitted = 0;
  std::uint64_t refused_too_many = 0;
  std::uint64_t refused_overrun = 0;
};

class GatewayListener final : public ConnectionOwner {
 public:
  /// `socket` listens. `allowed_uids`: whose processes may connect.
  GatewayListener(event_base* base, UniqueFd socket, std::vector<uid_t> allowed_uids,
                  Router& router, const TimeSource& time);
  ~GatewayListener() override;

  /// Call every kTickInterval.
  void tick();
  /// No new links from now on.
  void stop_listening();
  /// Whether links are accepted and read; what is queued for them leaves in any case.
  void take_in(bool on);
  /// Of the links as they are, for another program to go on from.
  [[nodiscard]] std::vector<LinkState> links();
  /// A link of an earlier program. `fd` is that of the state.
  void adopt(UniqueFd fd, LinkState state);
  [[nodiscard]] int descriptor() const { return listener_.descriptor(); }
  /// Counters of an earlier program.
  void restore(const LinkStats& stats) { stats_ = stats; }
  /// All links: what is queued, GOODBYE, end.
  void finish(std::string_view text);

  /// Nothing waits to be written.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  [[nodiscard]] const LinkStats& stats() const { return stats_; }
  [[nodiscard]] std::uint64_t accept_errors() const { return listener_.errors(); }

  // ---- ConnectionOwner
  void connection_closed(GatewayConnection& connection) override;
  void connection_open(GatewayConnection& connection) override;
  void count_bytes(std::size_t in, std::size_t out) override;

 private:
  void admit(UniqueFd fd);
  void refuse(int fd, std::string_view text);
  void count_refusal(proto::ErrorReason reason);
  /// What the log says of a peer that is refused: the reason, and whose.
  void say_refused(const std::string& what, pid_t pid, std::string_view reason);
  void free_closed();

  event_base* base_;
  std::vector<uid_t> allowed_uids_;
  Router& router_;
  const TimeSource& time_;
  EventPtr free_event_;
  RefusalLog refusals_;
  std::unordered_map<GatewayConnection*, std::unique_ptr<GatewayConnection>> connections_;
  std::vector<GatewayConnection*> closed_;
  LinkStats stats_;
  SocketListener listener_;
};

}  // namespace sluice::relay
