// What is done, in order: connect, subscribe, publish, quiet, cut and recover.
#pragma once

#include "bench/channels/record.h"

namespace sluice::channels {

/// What the run came to; where somebody was late, `stopped` says so. Throws test::HarnessError when
/// a program does not start.
[[nodiscard]] Record run_scenario(const Plan& plan);

}  // namespace sluice::channels
