// Restart anything under load, and nobody notices: what `./dev bench restart` does at full size,
// small. Clients verify both directions to the last byte, half of them are hostile, see
// bench/restart/fleet.h; the judge's own tests are 33 and tests/unit/bench.
#include <gtest/gtest.h>

#include "bench/restart/judge.h"
#include "bench/restart/report.h"
#include "bench/restart/scenario.h"
#include "tests/process/support/senders.h"

namespace sluice::test {
namespace {

struct Case {
  const char* name;
  const char* scenario;
  std::uint32_t rounds;
};

using Parameters = std::tuple<Case, std::string>;

class RestartUnderLoad : public testing::TestWithParam<Parameters> {};

TEST_P(RestartUnderLoad, KeepsEveryPromise) {
  const auto& [one, io_uring] = GetParam();
  if (io_uring == "on" && !io_uring_allowed()) GTEST_SKIP() << "no io_uring here";
  restart::RunOptions options;
  options.plan = restart::plan_of(one.scenario, true);
  options.plan.rounds = one.rounds;
  options.plan.io_uring = io_uring;
  const restart::Record record = restart::run_scenario(options);
  const auto criteria = restart::judge(record);
  for (const restart::Criterion& criterion : criteria) {
    // How long and how dear is the bench's to say.
    if (criterion.name.rfind("pause ", 0) == 0 || criterion.name.rfind("CPU ", 0) == 0) continue;
    EXPECT_TRUE(criterion.passed) << criterion.name << ": " << criterion.measured << ", wanted "
                                  << criterion.wanted;
  }
  if (HasFailure()) std::cerr << restart::to_json(record, criteria);
}

INSTANTIATE_TEST_SUITE_P(
    All, RestartUnderLoad,
    testing::Combine(testing::Values(Case{"Planned", "planned", 5}, Case{"Kill", "kill", 5},
                                     Case{"Upgrade", "upgrade", 4},
                                     Case{"RelayUpgrade", "relay-upgrade", 4},
                                     Case{"RelayKill", "relay-kill", 3},
                                     Case{"Package", "package", 2}, Case{"Idle", "idle", 3}),
                     testing::Values("on", "off")),
    [](const auto& each) {
      return std::string(std::get<0>(each.param).name) +
             (std::get<1>(each.param) == "on" ? "ByUring" : "BySend");
    });

}  // namespace
}  // namespace sluice::test
