// All runs: for each workload every server in turn, and again, so that what changes on the machine
// hits all alike.
#pragma once

#include "bench/fanout/options.h"
#include "bench/fanout/record.h"

namespace sluice::fanout {

/// Throws test::HarnessError when the bench itself can't run here.
[[nodiscard]] Report run_bench(const Options& options);

}  // namespace sluice::fanout
