// What is done to the daemons and when: drawn whole from the seed before anything starts, so that
// the same seed gives the same schedule, whatever happens meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/process/support/deadline.h"

namespace sluice::soak {

using test::Millis;

inline constexpr std::size_t kGateways = 4;

enum class Fault {
  kKillGateway,
  kDrainGateway,
  kStopGateway,
  kKillRelay,
  kEndRelay,
  kStopRelay,
  kKillRedis,
  kStopRedis,
  kCutLink,  ///< between a gateway and the relay
  kPauseLink,
  kDribbleLink,
  kCutBroker,  ///< between the relay and Redis
  kPauseBroker,
  kBurst,  ///< many large messages on one channel at once
  kCount,
};

struct Action {
  Millis at{};     ///< since the storm began
  Millis lasts{};  ///< then it is undone
  Fault fault = Fault::kBurst;
  std::size_t gateway = 0;  ///< where the fault is a gateway's
  std::size_t channel = 0;  ///< of a burst
};
[[nodiscard]] std::string describe(const Action& action);

/// Faults for `span`, in order of time, all undone `kTailQuiet` before its end. At most one at a
/// time for each of: a gateway or its link, the relay, Redis or the way to it. Gateway 0 is neither
/// killed nor drained: it lives from start to end, so that a leak adds up there.
class StormMaker {
 public:
  explicit StormMaker(std::uint64_t seed) : random_(seed) {}
  [[nodiscard]] std::vector<Action> storm(Millis span);

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  Action draw(Millis at);

  std::mt19937_64 random_;
};

}  // namespace sluice::soak
