// Sends a last reply and closes so that the peer sees it: closing a socket with unread input makes
// the kernel send a reset, which can overtake the reply. So: write, shut our side down, read and
// drop until the peer ends or the time is up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "common/unique_fd.h"
#include "gateway/event_loop.h"

namespace sluice::gateway {

struct LingeringOptions {
  std::size_t connections_max = 512;
  Duration time_max = std::chrono::seconds(1);  ///< for writing and waiting together
  std::size_t drain_bytes_max = 256U << 10U;    ///< read and dropped of one connection
};

class LingeringCloser {
 public:
  LingeringCloser(EventLoop& loop, LingeringOptions options, const TimeSource& time);

  /// Takes the connection over. At connections_max the reply is sent as far as the socket takes it,
  /// without waiting.
  void close(UniqueFd fd, std::string reply);

  [[nodiscard]] std::size_t size() const { return closing_.size(); }
  /// Connections that found connections_max reached.
  [[nodiscard]] std::uint64_t hasty() const { return hasty_; }

 private:
  struct Closing;
  using Place = std::list<Closing>::iterator;
  struct Closing {
    Closing(EventLoop& loop, UniqueFd socket, std::string bytes, LingeringCloser& closer);
    UniqueFd fd;
    std::string reply;
    std::size_t sent = 0;
    std::size_t drained = 0;
    bool shut = false;
    TimePoint deadline{};
    Place place{};
    LingeringCloser& owner;
    IoWatcher io;
  };

  void step(Closing& closing);
  /// False: the connection is finished.
  [[nodiscard]] bool write_reply(Closing& closing);
  [[nodiscard]] bool drain(Closing& closing);
  void expire();

  EventLoop& loop_;
  const LingeringOptions options_;
  const TimeSource& time_;
  std::list<Closing> closing_;  ///< in order of their deadlines
  Timer expiry_;
  std::uint64_t hasty_ = 0;
};

}  // namespace sluice::gateway
