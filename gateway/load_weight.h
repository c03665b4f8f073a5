// The weight that the agent check asks for: what this gateway can take of new clients, as a share
// of a full one. Pure.
//
// The worst of three counts: connections against --max-connections, lateness of the event loop,
// bytes waiting for slow clients. Smoothed, then in five steps with hysteresis, so that the
// balancer is not stirred by noise. After a start (or an outage, or a drain taken back) it rises to
// that over the ramp, or leastconn would send everybody to the gateway that came last.
#pragma once

#include <cstddef>

#include "common/clock.h"

namespace sluice::gateway {

/// Never below: it can still serve.
inline constexpr unsigned kWeightMin = 10;

struct LoadSample {
  double connections = 0;  ///< of --max-connections, 0 to 1
  Duration lag{};          ///< how late the loop's tick came
  double queued = 0;       ///< of what all clients together may have waiting, 0 to 1
};

class LoadWeight {
 public:
  /// `ramp` 0: none.
  explicit LoadWeight(Duration ramp) : ramp_(ramp) {}

  /// It begins to serve.
  void begin_ramp(TimePoint now) { ramp_began_ = now; }
  /// Call every tick.
  void sample(const LoadSample& sample, TimePoint now);
  /// kWeightMin to 100.
  [[nodiscard]] unsigned percent(TimePoint now) const;

 private:
  [[nodiscard]] unsigned ramp_percent(TimePoint now) const;

  Duration ramp_;
  TimePoint ramp_began_{};
  TimePoint sampled_at_{};
  double smooth_ = 100;
  std::size_t step_ = 0;  ///< index of the step in force
};

}  // namespace sluice::gateway
