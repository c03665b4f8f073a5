// The time of day, as tokens, hooks and nodes say it to others. What waits or measures has a
// TimeSource (common/clock.h).
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice {

/// Milliseconds since 1970.
[[nodiscard]] inline std::int64_t unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace sluice
