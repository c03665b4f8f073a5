// One command to HAProxy's stats socket and its answer, on a connection of its own: a kept one
// would stay with the old worker when HAProxy is reloaded, and see a table that no client meets any
// more. Never waits; what it holds is bounded (kHaproxyReplyBytesMax).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/address.h"
#include "common/clock.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "gateway/event_loop.h"

namespace sluice::gateway {

class HaproxySocket {
 public:
  /// `address`: a Unix socket or TCP in digits.
  HaproxySocket(EventLoop& loop, Address address);

  using Done = std::function<void(Result<std::string> reply)>;
  /// Sends `command` as one line and gives the whole answer, or what went wrong, to `done`: once,
  /// never from inside this call, `within` from now at the latest. `done` may run the next command.
  /// Not while busy().
  void run(const std::string& command, Duration within, Done done);
  [[nodiscard]] bool busy() const { return done_ != nullptr; }
  [[nodiscard]] const Address& address() const { return address_; }

 private:
  void out_of_time();
  void on_ready(IoEvents events);
  [[nodiscard]] bool connected();
  void write_some();
  void read_some();
  void end(Result<std::string> reply);

  EventLoop& loop_;
  Address address_;
  UniqueFd fd_;
  std::optional<IoWatcher> watcher_;
  Timer timer_;
  Done done_;
  std::optional<Error> not_dialled_;
  bool connecting_ = false;
  std::string unsent_;
  std::string reply_;
};

}  // namespace sluice::gateway
