// How long to wait before the next try: doubling, with full jitter, so that many processes that
// lost the same peer do not come back together.
#pragma once

#include <algorithm>

#include "common/check.h"
#include "common/clock.h"
#include "common/random.h"

namespace sluice {

class Backoff {
 public:
  Backoff(Duration min, Duration max, Random& random) : min_(min), max_(max), random_(random) {
    CHECK(min > Duration::zero() && min <= max);
    reset();
  }

  /// Uniform in [min, ceiling]; the ceiling doubles up to max.
  [[nodiscard]] Duration next() {
    const auto span = static_cast<std::uint64_t>((ceiling_ - min_).count()) + 1;
    const Duration wait = min_ + Duration(static_cast<std::int64_t>(random_.below(span)));
    ceiling_ = std::min(ceiling_ * 2, max_);
    return wait;
  }
  /// The first wait is spread too: it is the one that all who lost the same peer have in common.
  void reset() { ceiling_ = std::min(min_ * 2, max_); }

 private:
  Duration min_;
  Duration max_;
  Random& random_;
  Duration ceiling_{};
};

}  // namespace sluice
