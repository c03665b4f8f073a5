// What is done to the stage, and when. Used by ./dev bench restart at full size and by the process
// tests at a small one.
#pragma once

#include <functional>
#include <string>

#include "bench/restart/record.h"

namespace sluice::restart {

/// "planned": SIGUSR2 to one gateway after the other, each started again by its supervisor.
/// "kill": kill -9 instead. "upgrade": `sluice upgrade` instead; the process id stays.
/// "relay-upgrade": SIGUSR2 to the relay. "relay-kill": kill -9 of it.
/// "package": relay and all gateways at once, in changing order.
/// "idle": planned restarts of one gateway with idle clients: pause and CPU.
/// "steady": what keeper and records cost in W1 of the fan-out bench.
[[nodiscard]] const std::vector<std::string>& scenarios();

/// The size that the scenario's promise names; with `quick` one for tests.
[[nodiscard]] Plan plan_of(const std::string& scenario, bool quick);

/// One line of progress, each time that there is something to say.
using Progress = std::function<void(const std::string&)>;

struct RunOptions {
  Plan plan;
  /// False: gateways without a keeper, which hand nothing over. For the proof that this is seen.
  bool keepers = true;
  Progress progress = [](const std::string&) {};
};

/// From the first connection to the last look. Throws HarnessError when a program does not start or
/// does not come back.
[[nodiscard]] Record run_scenario(const RunOptions& options);

}  // namespace sluice::restart
