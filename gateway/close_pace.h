// How many clients may be told to go now, so that they leave evenly and no second sees more of them
// than the rate. Pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>

#include "common/clock.h"

namespace sluice::gateway {

class ClosePace {
 public:
  /// Closes that may happen now; the caller closes all of them. `rate`, per second, may change from
  /// call to call. Call every tick.
  [[nodiscard]] std::size_t take(double rate, std::size_t wanted, TimePoint now) {
    // A rate under 1/s means one close in a longer time, not none.
    const double window_seconds = std::max(1.0, 1.0 / rate);
    forget_before(
        now - std::chrono::duration_cast<Duration>(std::chrono::duration<double>(window_seconds)));
    if (last_ != TimePoint{}) {
      const double elapsed = std::chrono::duration<double>(now - last_).count();
      // A tick that comes late does not make up for it: that would be a burst.
      credit_ = std::min(credit_ + kShare * rate * elapsed, 1 + rate * kBurstSeconds);
    }
    last_ = now;
    const auto window_max =
        static_cast<std::size_t>(std::max(1.0, std::floor(rate * window_seconds)));
    const std::size_t room = window_max > in_window_ ? window_max - in_window_ : 0;
    const std::size_t n = std::min({wanted, room, static_cast<std::size_t>(credit_)});
    if (n > 0) {
      credit_ -= static_cast<double>(n);
      in_window_ += n;
      closed_.push_back({now, n});
    }
    return n;
  }

 private:
  /// A little below the rate: closes reach the clients not quite as evenly as they leave.
  static constexpr double kShare = 0.95;
  static constexpr double kBurstSeconds = 0.1;

  struct Batch {
    TimePoint at;
    std::size_t count;
  };
  void forget_before(TimePoint begin) {
    while (!closed_.empty() && closed_.front().at <= begin) {
      in_window_ -= closed_.front().count;
      closed_.pop_front();
    }
  }

  std::deque<Batch> closed_;  ///< of the last second: at most one a tick
  std::size_t in_window_ = 0;
  double credit_ = 0;
  TimePoint last_{};
};

}  // namespace sluice::gateway
