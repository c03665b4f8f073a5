// What a daemon tells the service manager that started it (systemd, Type=notify): ready, a line of
// status, stopping, and that its loop still turns (watchdog). Without $NOTIFY_SOCKET all of it does
// nothing.
//
// The protocol, a datagram of NAME=VALUE lines, is spoken here and not by libsystemd's sd_notify():
// that one waits for as long as the manager does not read (with libsystemd 252 and a queue of 10
// datagrams the twelfth call never returns), and a manager that stands still must not stop an event
// loop with thousands of clients. Here a datagram that finds the queue full is dropped; the
// watchdog's comes again anyway, the others are sent again at the next tick.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/unique_fd.h"

namespace sluice {

/// A status that changes all the time, a number of clients, is told this often.
inline constexpr Duration kStatusInterval = std::chrono::seconds(5);
/// Longer lines are cut.
inline constexpr std::size_t kStatusBytesMax = 512;

class ServiceManager {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
  ServiceManager();

  /// Start-up is over, units that wait for this one may start. Only the first call counts.
  void ready();
  /// A drain or an orderly end has begun.
  void stopping();
  /// The status is another one: the next tick tells it, whenever the last was told.
  void status_changed() { status_due_.reset(); }
  /// Call it from the event loop, at least every 100 ms: keeps the watchdog quiet, and tells
  /// `status` (one line for people) if it differs from the last one told.
  void tick(TimePoint now, const std::function<std::string()>& status);

  [[nodiscard]] bool present() const { return socket_.valid(); }
  /// Zero: none is wanted.
  [[nodiscard]] Duration watchdog_interval() const { return watchdog_interval_; }

 private:
  [[nodiscard]] bool send(std::string_view lines) const;
  void tell_state(const char* line);
  void tell_status(TimePoint now, std::string status);

  UniqueFd socket_;
  sockaddr_un address_{};
  socklen_t address_size_ = 0;
  Duration watchdog_interval_{};
  bool ready_ = false;
  const char* untold_ = nullptr;  ///< the state that has not gone out yet
  std::string told_status_;
  std::optional<TimePoint> status_due_;
  std::optional<TimePoint> watchdog_due_;
};

}  // namespace sluice
