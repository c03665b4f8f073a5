// Waiting that a signal ends at once: signals come as a descriptor, so none is missed between a
// look and a sleep.
#pragma once

#include "common/clock.h"
#include "common/unique_fd.h"

namespace sluice::ctl {

enum class Wake {
  kReady,
  kTimeout,
  kResized,     ///< SIGWINCH
  kEnded,       ///< SIGINT, SIGTERM, SIGHUP or SIGQUIT: now and at each later wait
  kOutputGone,  ///< whoever read our output has closed it
};

inline constexpr Duration kForEver = Duration(-1);

class Interrupts {
 public:
  /// Blocks the signals from now on. `output`: watched for its reader's end; -1: not.
  explicit Interrupts(int output);

  /// Until `fd` is ready for `events` (poll(2)), the time is over, or one of the others. fd -1:
  /// only those.
  [[nodiscard]] Wake wait(int fd, short events, Duration time);
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  /// What the signals that came mean; kReady: nothing.
  [[nodiscard]] Wake take_signals();

  int output_;
  UniqueFd signals_;
  bool ended_ = false;
};

}  // namespace sluice::ctl
