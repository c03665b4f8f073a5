// Accepts connections from one listening socket, a bounded number each turn, and steps back when
// descriptors run out.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "common/unique_fd.h"
#include "gateway/client_address.h"
#include "gateway/event_loop.h"

namespace sluice::gateway {

inline constexpr std::size_t kAcceptsPerTurn = 64;
/// The largest queue that a listening socket of ours has (SOMAXCONN).
inline constexpr std::size_t kAcceptsWaitingMax = 4096;
/// Without it a loop out of descriptors would spin: the connection stays in the kernel's queue and
/// the socket readable.
inline constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

/// Counters, never reset. Shared by the listeners of one acceptor.
struct ListenerStats {
  std::uint64_t accepted = 0;
  std::uint64_t pauses = 0;  ///< out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM), or
                             ///< an error not foreseen
  std::uint64_t aborted = 0;  ///< gone before they were accepted
};

class Listener {
 public:
  /// Gets a non-blocking, close-on-exec socket, with TCP_NODELAY if it is TCP, and its peer.
  using OnAccept = std::function<void(UniqueFd, const ClientAddress& peer)>;

  /// `fd` listens and is non-blocking. `stats` and `time` outlive the listener.
  Listener(EventLoop& loop, UniqueFd fd, const TimeSource& time, ListenerStats& stats,
           OnAccept on_accept);

  /// Accepts what waits in the kernel's queue, at most kAcceptsWaitingMax: closing the socket would
  /// reset it.
  void accept_waiting();
  /// Closes the listening socket, for good. Allowed inside the callback, where destruction is not.
  void close();
  [[nodiscard]] bool open() const { return fd_.valid(); }
  [[nodiscard]] bool paused() const { return resume_.active(); }

 private:
  void accept_batch();
  /// False: enough for this turn.
  [[nodiscard]] bool accept_one();
  [[nodiscard]] bool on_accept_error(int error);

  UniqueFd fd_;
  const TimeSource& time_;
  ListenerStats& stats_;
  OnAccept on_accept_;
  std::optional<TimePoint> logged_at_;
  IoWatcher io_;
  Timer resume_;
};

}  // namespace sluice::gateway
