// Steps 4 and 11: moves the bytes of the relay link. Dials the relay's Unix socket, again and again
// with a jittered back-off; what the bytes mean is RelayLink's business.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/backoff.h"
#include "common/unique_fd.h"
#include "gateway/event_loop.h"
#include "gateway/relay_link.h"

namespace sluice::gateway {

class RelayConnection {
 public:
  /// `congested`: what has been read must be worked off first.
  RelayConnection(EventLoop& loop, std::string path, RelayLink& link, Random& random,
                  std::function<bool()> congested);

  /// Dials now and keeps the link up from then on.
  void start();
  /// Writes what the link has to say. Call when a loop turn ends; cheap when there is nothing.
  void flush();
  /// Looks after the link's time-outs. Call every kTimerTick.
  void tick();

 private:
  void dial();
  void retry_later(const std::string& why);
  void give_up(const std::string& why);
  void on_ready(IoEvents events);
  void read_some();
  void watch(bool for_writing);

  EventLoop& loop_;
  std::string path_;
  RelayLink& link_;
  std::function<bool()> congested_;
  Backoff backoff_;
  UniqueFd fd_;
  std::optional<IoWatcher> watcher_;
  Timer retry_;
  bool writing_ = false;
  std::string last_complaint_;  ///< each different reason is said once per outage
};

}  // namespace sluice::gateway
