// A listening socket on the relay's loop: accepts in batches, and pauses when it can't.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/unique_fd.h"
#include "relay/event_handles.h"

namespace sluice::relay {

class SocketListener {
 public:
  /// Of non-blocking, close-on-exec sockets. It must not end the listener.
  using OnAccept = std::function<void(UniqueFd)>;

  /// `what` is accepted, for the log: "a gateway".
  SocketListener(event_base* base, UniqueFd socket, std::string what, const TimeSource& time,
                 OnAccept on_accept);

  /// Call every kTickInterval: resumes after a pause.
  void tick();
  /// Whether connections are accepted; those that come while it is off wait in the backlog.
  void accept_on(bool on);
  [[nodiscard]] int descriptor() const { return socket_.get(); }
  /// Closes the socket.
  void stop();
  /// Times that accept failed for want of something.
  [[nodiscard]] std::uint64_t errors() const { return errors_; }

 private:
  void on_acceptable();
  void pause(int error);

  UniqueFd socket_;
  const std::string what_;
  const TimeSource& time_;
  OnAccept on_accept_;
  EventPtr event_;
  bool paused_ = false;
  std::optional<TimePoint> said_at_;
  std::uint64_t errors_ = 0;
};

}  // namespace sluice::relay
