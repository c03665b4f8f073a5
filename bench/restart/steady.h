// What keeper and records cost while nothing is restarted: W1 of the fan-out bench, with and
// without in turns.
#pragma once

#include "bench/restart/scenario.h"

namespace sluice::restart {

/// The plan's rounds are the pairs per variant.
[[nodiscard]] Record run_steady(const RunOptions& options);

}  // namespace sluice::restart
