// What is refused again and again (a second gateway of an id that is in use, a peer without
// permission) is said once, and with a number when it ends: whoever is refused tries several times
// a second. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace sluice::relay {

class RefusalLog {
 public:
  /// Told when an episode ends in which more was refused than had been said.
  using OnEnd = std::function<void(std::string_view what, std::uint64_t more)>;

  explicit RefusalLog(OnEnd on_end) : on_end_(std::move(on_end)) {}

  /// True: say it, an episode of `what` begins. False: it is only counted.
  [[nodiscard]] bool refused(std::string_view what, TimePoint now);
  /// Its reason is gone.
  void end(std::string_view what);
  /// Ends what has not come for kRefusalQuiet.
  void tick(TimePoint now);

 private:
  struct Episode {
    TimePoint last{};
    std::uint64_t more = 0;
  };

  OnEnd on_end_;
  std::map<std::string, Episode, std::less<>> episodes_;  ///< at most kRefusalEpisodesMax
};

}  // namespace sluice::relay
