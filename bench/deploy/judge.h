// The promises of a deploy, each judged on what the run has seen. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/deploy/record.h"

namespace sluice::bench {

struct Criterion {
  std::string name;
  bool passed = false;
  std::string measured;
  std::string wanted;
};

/// Those that the plan's scenario has.
[[nodiscard]] std::vector<Criterion> judge(const Record& record);
[[nodiscard]] bool all_passed(const std::vector<Criterion>& criteria);

struct BusiestSecond {
  std::uint32_t closes = 0;
  std::size_t second = 0;
  std::size_t gateway = 0;
};
/// The most closes that one gateway made in one second of the run's clock.
[[nodiscard]] BusiestSecond busiest_second(const Record& record);
/// The same over windows of a second that begin anywhere.
[[nodiscard]] std::uint32_t busiest_window(const Record& record);
/// The time of the last such event.
[[nodiscard]] std::optional<double> last_event(const Record& record, const std::string& what);

}  // namespace sluice::bench
