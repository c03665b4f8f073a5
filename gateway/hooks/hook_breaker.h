// Whether an endpoint is worth asking: after so many failures in a row it is left alone for a
// while, then one question tries it (the probe), and only its answer lets the others through again.
// So an application that is down costs its clients no time-out each, and is not trampled when it
// comes back. Pure.
#pragma once

#include <cstdint>

#include "common/clock.h"

namespace sluice::gateway {

class HookBreaker {
 public:
  /// `failures_max`: in a row, at least 1. `pause`: from the last of them, or from the end of a
  /// failed probe, to the next probe.
  HookBreaker(std::uint32_t failures_max, Duration pause);

  /// How a question was let through; its outcome is told with it.
  enum class Pass : std::uint8_t { kRefused, kOrdinary, kProbe };
  [[nodiscard]] Pass ask(TimePoint now);

  /// What an outcome has brought about, for the log. A probe that fails changes nothing.
  enum class Change : std::uint8_t { kNone, kOpened, kClosed };
  [[nodiscard]] Change succeeded();
  /// An ordinary question that was under way when the breaker opened says nothing new.
  [[nodiscard]] Change failed(Pass pass, TimePoint now);

  [[nodiscard]] bool open() const { return state_ != State::kClosed; }

 private:
  enum class State : std::uint8_t { kClosed, kOpen, kProbing };

  const std::uint32_t failures_max_;
  const Duration pause_;
  State state_ = State::kClosed;
  std::uint32_t failures_ = 0;
  TimePoint probe_at_{};
};

}  // namespace sluice::gateway
