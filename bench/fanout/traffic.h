// When to publish: evenly, in bursts, or as fast as all receivers follow. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::fanout {

struct TrafficPlan {
  enum class Kind : std::uint8_t {
    kNone,
    kPaced,   ///< per_second messages, evenly
    kBursts,  ///< `burst` messages at once, each second
    kWindow,  ///< `window` messages published that not everybody has yet
  };
  Kind kind = Kind::kNone;
  double per_second = 0;
  std::size_t burst = 0;
  std::size_t window = 0;
};

class Traffic {
 public:
  Traffic(const TrafficPlan& plan, std::uint64_t start_ns) : plan_(plan), start_ns_(start_ns) {}

  /// How many to publish now; the caller does.
  [[nodiscard]] std::size_t due(std::uint64_t now_ns, std::uint64_t outstanding) {
    switch (plan_.kind) {
      case TrafficPlan::Kind::kNone:
        return 0;
      case TrafficPlan::Kind::kWindow:
        return outstanding < plan_.window ? plan_.window - outstanding : 0;
      default:
        break;
    }
    const std::uint64_t wanted = scheduled(now_ns);
    const std::uint64_t due = wanted - published_;
    published_ = wanted;
    return due;
  }
  /// When something is due next, as far as the clock decides it; ~0: never.
  [[nodiscard]] std::uint64_t next_ns() const {
    const double seconds = seconds_until(published_);
    if (seconds < 0) return ~std::uint64_t{0};
    return start_ns_ + static_cast<std::uint64_t>(seconds * 1e9);
  }

 private:
  /// Messages that are to be out by then.
  [[nodiscard]] std::uint64_t scheduled(std::uint64_t now_ns) const {
    const double seconds = static_cast<double>(now_ns - start_ns_) / 1e9;
    if (plan_.kind == TrafficPlan::Kind::kPaced)
      return static_cast<std::uint64_t>(seconds * plan_.per_second) + 1;
    return (static_cast<std::uint64_t>(seconds) + 1) * plan_.burst;
  }
  [[nodiscard]] double seconds_until(std::uint64_t count) const {
    if (plan_.kind == TrafficPlan::Kind::kPaced)
      return static_cast<double>(count) / plan_.per_second;
    if (plan_.kind == TrafficPlan::Kind::kBursts)
      return static_cast<double>(count) / static_cast<double>(plan_.burst);
    return -1;
  }

  TrafficPlan plan_;
  std::uint64_t start_ns_;
  std::uint64_t published_ = 0;
};

}  // namespace sluice::fanout
