// Time is injected: pure classes take a TimeSource, tests a ManualTime.
#pragma once

#include <chrono>

namespace sluice {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class TimeSource {
 public:
  virtual ~TimeSource() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
};

/// CLOCK_MONOTONIC: the same for every process of a host, so differences between processes mean
/// something.
class SteadyTime final : public TimeSource {
 public:
  [[nodiscard]] TimePoint now() const override { return std::chrono::steady_clock::now(); }
};

/// Stands still until told otherwise.
class ManualTime final : public TimeSource {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  TimePoint now_{std::chrono::hours(1)};
};

/// For people, and for libraries that count so.
[[nodiscard]] inline double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// The monotonic clock in microseconds, the same for all processes of a host.
[[nodiscard]] inline std::uint64_t micros_of(TimePoint t) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count());
}

/// Low 32 bits of the monotonic clock in microseconds: what the relay link carries as a time stamp.
[[nodiscard]] inline unsigned int wire_micros(TimePoint t) {
  return static_cast<unsigned int>(micros_of(t));
}

}  // namespace sluice
