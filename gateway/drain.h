// The plan of a drain. Pure: says at each tick what to do next.
//
//   announced ──balancers have seen it, or waited long enough──▶ closing ──no client left, or time
//   out──▶ flushing ──no publish or hook pending, or time out──▶ done
//
// Announced: readiness says draining, new clients are still served. Closing: no new ones, clients
// leave at the drain rate. Flushing: what clients sent is still on its way to the broker. A drain
// that does not end the process stays in closing until it is taken back, and its rate is never
// exceeded: nobody waits for its end.
#pragma once

#include <cstddef>
#include <optional>

#include "common/clock.h"
#include "gateway/close_pace.h"

namespace sluice::gateway {

struct DrainOptions {
  Duration delay{};  ///< when no balancer asks
  Duration
      timeout{};  ///< of the whole drain, delay included; only one that ends the process has it
  double rate_per_second = 0;
  bool ends = true;  ///< the process, that is
};

enum class DrainPhase { kAnnounced, kClosing, kFlushing, kDone };

/// What the balancers know of the drain.
enum class DrainSeen {
  kNobodyAsks,  ///< no balancer has asked within the last minute, or those that did have gone
  kWaiting,     ///< one that asks has not asked since the drain began
  kByAll,
};

/// What the drain is decided on.
struct DrainView {
  DrainSeen seen = DrainSeen::kNobodyAsks;
  std::size_t open = 0;     ///< clients that are to go and have not been told
  std::size_t present = 0;  ///< clients still connected
  std::size_t publishes_pending = 0;
  std::size_t hooks_pending = 0;  ///< the application is being told, of clients gone among others
};

class Drain {
 public:
  Drain(DrainOptions options, TimePoint now);

  struct Step {
    DrainPhase phase{};
    bool entered = false;  ///< the phase began with this tick
    double rate = 0;       ///< in kClosing: clients that may be closed per second
  };
  /// Call every 50 ms or so.
  [[nodiscard]] Step tick(TimePoint now, const DrainView& view);

  /// What --drain-rate must become for `clients` to leave in time; not above the rate when it
  /// suffices, or when there is no time to keep.
  [[nodiscard]] double rate_needed(std::size_t clients) const;
  [[nodiscard]] const DrainOptions& options() const { return options_; }
  [[nodiscard]] DrainPhase phase() const { return phase_; }
  /// The balancers are not waited for longer than this.
  [[nodiscard]] Duration announcement_max() const;
  /// Of the whole drain's time; may be below zero.
  [[nodiscard]] Duration left(TimePoint now) const { return began_ + options_.timeout - now; }

 private:
  [[nodiscard]] bool announced_enough(TimePoint now, DrainSeen seen) const;
  [[nodiscard]] bool late(TimePoint now) const {
    return options_.ends && now - began_ >= options_.timeout;
  }

  DrainOptions options_;
  TimePoint began_;
  TimePoint closing_since_{};
  DrainPhase phase_ = DrainPhase::kAnnounced;
  double rate_ = 0;
};

}  // namespace sluice::gateway
