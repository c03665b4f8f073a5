// The promises of a restart, each judged on what the run has seen. Pure.
#pragma once

#include <vector>

#include "bench/deploy/judge.h"
#include "bench/restart/record.h"

namespace sluice::restart {

using bench::Criterion;

/// Those that the plan's scenario has.
[[nodiscard]] std::vector<Criterion> judge(const Record& record);

struct Interval {
  double median = 0;
  double low = 0;
  double high = 0;
};
/// Median and 95 % interval of with/without - 1 over the pairs, in percent: order statistics, so
/// nothing is taken for granted about how they are spread.
[[nodiscard]] Interval steady_cost_percent(const std::vector<CostPair>& pairs);

}  // namespace sluice::restart
