// The deploy itself: what is done to the stage, and when.
#pragma once

#include <mutex>

#include "bench/deploy/record.h"

namespace sluice::bench {

/// Runs the plan's scenario from the first connection to the last look. Throws HarnessError when a
/// program does not start, or does not end.
[[nodiscard]] Record run_scenario(const Plan& plan);

}  // namespace sluice::bench
