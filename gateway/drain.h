// The plan of a drain. Pure: says at each tick what to do next.
//
//   announced ──drain delay──▶ closing ──no client left, or time out──▶ flushing ──no publish
//   pending, or time out──▶ done
//
// Announced: readiness says draining, new clients are still served, so that the balancer can look
// first. Closing: the listeners are closed, clients leave at the drain rate, faster when the time
// would not suffice. Flushing: what clients sent is still on its way to the broker.
#pragma once

#include <cstddef>

#include "common/clock.h"

namespace sluice::gateway {

struct DrainOptions {
  Duration delay{};
  Duration timeout{};  ///< of the whole drain, delay included
  double rate_per_second = 0;
};

enum class DrainPhase { kAnnounced, kClosing, kFlushing, kDone };

class Drain {
 public:
  Drain(DrainOptions options, TimePoint now);

  struct Step {
    DrainPhase phase{};
    std::size_t close_now = 0;  ///< clients to close in this tick
    bool entered = false;       ///< the phase began with this tick
  };
  /// Call every 50 ms or so. `open`: clients not yet told to go; `present`: clients still
  /// connected.
  [[nodiscard]] Step tick(TimePoint now, std::size_t open, std::size_t present,
                          std::size_t publishes_pending);

  /// What --drain-rate must become for `clients` to leave in time; not above the rate when it
  /// suffices.
  [[nodiscard]] double rate_needed(std::size_t clients) const;
  [[nodiscard]] const DrainOptions& options() const { return options_; }

 private:
  [[nodiscard]] Duration closing_time() const;

  DrainOptions options_;
  TimePoint began_;
  DrainPhase phase_ = DrainPhase::kAnnounced;
  double rate_ = 0;
  double credit_ = 0;
  TimePoint last_tick_{};
};

}  // namespace sluice::gateway
