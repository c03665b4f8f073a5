#include "bench/deploy/reconnect.h"

#include <algorithm>

namespace sluice::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// min · 2^attempt, at most max.
Duration doubled(Duration min, unsigned attempt, Duration max) {
  constexpr unsigned kDoublingsMax = 16;
  return std::min(max, Duration(min * (1LL << std::min(attempt, kDoublingsMax))));
}

Duration up_to(Duration most, Random& random) {
  return Duration(
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()) + 1)));
}

// minReconnectDelay and maxReconnectDelay: the lower end is added to a wait from 0 to the ceiling.
constexpr Duration kCentrifugeMin = milliseconds(500);
constexpr Duration kCentrifugeMax = seconds(20);

// reconnectionDelay, reconnectionDelayMax, randomizationFactor 0.5: the wait is off by up to half.
constexpr Duration kSocketIoMin = seconds(1);
constexpr Duration kSocketIoMax = seconds(5);

}  // namespace

Duration reconnect_wait(Sdk sdk, unsigned attempt, Random& random) {
  if (sdk == Sdk::kCentrifuge) {
    const Duration ceiling = doubled(kCentrifugeMin, attempt, kCentrifugeMax);
    return std::min(kCentrifugeMax, kCentrifugeMin + up_to(ceiling, random));
  }
  const Duration middle = doubled(kSocketIoMin, attempt, kSocketIoMax * 2);
  return std::min(kSocketIoMax, middle / 2 + up_to(middle, random));
}

}  // namespace sluice::bench
