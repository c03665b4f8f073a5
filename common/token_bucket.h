// A rate with a burst. Pure; a bucket begins full.
#pragma once

#include <algorithm>

#include "common/clock.h"

namespace sluice {

struct TokenRate {
  double per_second = 0;  ///< 0: no limit
  double burst = 0;       ///< at once, after a quiet time

  [[nodiscard]] bool limited() const { return per_second > 0; }
};

/// Plain data: 16 bytes a bucket, the rate stands elsewhere.
class TokenBucket {
 public:
  /// Takes one token; false: none is left, and nothing is taken.
  [[nodiscard]] bool take(const TokenRate& rate, TimePoint now) {
    if (!rate.limited()) return true;
    refill(rate, now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  /// A bucket that has been left alone so long is like a new one.
  [[nodiscard]] bool full(const TokenRate& rate, TimePoint now) {
    if (rate.limited()) refill(rate, now);
    return tokens_ < 0 || tokens_ >= rate.burst;
  }

 private:
  void refill(const TokenRate& rate, TimePoint now) {
    if (tokens_ < 0) {
      tokens_ = rate.burst;
    } else if (now > filled_at_) {
      const double seconds = std::chrono::duration<double>(now - filled_at_).count();
      tokens_ = std::min(rate.burst, tokens_ + seconds * rate.per_second);
    }
    filled_at_ = now;
  }

  double tokens_ = -1;  ///< below 0: new
  TimePoint filled_at_{};
};

}  // namespace sluice
