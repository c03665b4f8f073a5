// One run: one server, one workload. Starts the server, fills it, loads it, ends it.
#pragma once

#include <string>

#include "bench/fanout/record.h"
#include "bench/fanout/server.h"
#include "bench/fanout/workload.h"

namespace sluice::fanout {

struct SessionOptions {
  double seconds = 4;  ///< measured, unless the workload has its own
  double warm_up_seconds = 0.5;
  std::uint32_t run = 1;  ///< number of the run: names its channels and marks its messages
};

/// Never throws: what goes wrong is in the note.
[[nodiscard]] Run run_session(const ServerUnderTest& server, const Workload& workload,
                              test::RedisServer& redis, const SessionOptions& options);

}  // namespace sluice::fanout
