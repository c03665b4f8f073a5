// Steps 5 and 10 of a message's path: one relay link's socket. Reads into the session, writes what
// it hands out. Nothing is destroyed inside a callback: close() marks, the owner frees on the next
// turn.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/unique_fd.h"
#include "relay/event_handles.h"
#include "relay/gateway_session.h"
#include "relay/output_batch.h"

namespace sluice::relay {

class GatewayConnection;

class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// Marked as closed: free it on the next turn.
  virtual void connection_closed(GatewayConnection& connection) = 0;
  virtual void connection_open(GatewayConnection& connection) = 0;
  virtual void count_bytes(std::size_t in, std::size_t out) = 0;
};

class GatewayConnection final : public SessionHost {
 public:
  GatewayConnection(event_base* base, UniqueFd fd, pid_t peer, Router& router,
                    const TimeSource& time, ConnectionOwner& owner);
  /// Goes on where an earlier program's connection stopped; `fd` is that of the state.
  GatewayConnection(event_base* base, UniqueFd fd, LinkState state, Router& router,
                    const TimeSource& time, ConnectionOwner& owner);

  /// Something is to be sent. A whole batch leaves at once, less when the loop turn's work is done.
  void wake() override;
  /// Deadlines of HELLO and of last words.
  void tick();
  void finish(std::string_view text) { session_.finish(text); }

  /// Whether what the peer sends is read; writing goes on.
  void read_on(bool on);
  [[nodiscard]] LinkState state() const;
  [[nodiscard]] int descriptor() const { return fd_.get(); }

  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool idle() const { return closed_ || (batch_.empty() && session_.idle()); }
  [[nodiscard]] const GatewaySession& session() const { return session_; }
  [[nodiscard]] pid_t peer() const { return peer_; }
  [[nodiscard]] const std::string& close_reason() const { return close_reason_; }

 private:
  void on_readable();
  void on_writable();
  void flush();
  /// False: the socket takes no more now, or is closed.
  [[nodiscard]] bool write_some(std::size_t& written);
  void await_writable();
  void close(std::string_view reason);

  UniqueFd fd_;
  pid_t peer_;
  const TimeSource& time_;
  ConnectionOwner& owner_;
  GatewaySession session_;
  OutputBatch batch_;
  EventPtr read_event_;
  EventPtr write_event_;
  EventPtr flush_event_;
  TimePoint opened_at_;
  std::optional<TimePoint> ending_since_;
  std::size_t wakes_ = 0;  ///< since the last flush
  bool waits_writable_ = false;
  bool told_open_ = false;
  bool closed_ = false;
  std::string close_reason_;
};

}  // namespace sluice::relay
