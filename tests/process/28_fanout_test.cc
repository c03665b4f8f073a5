// The fan-out bench, small: what `./dev bench` runs at full size must not rot. No figure is judged,
// only that every delivery was right. The judge's own tests are in tests/unit/bench.
#include <gtest/gtest.h>
#include <sched.h>

#include <nlohmann/json.hpp>

#include "tests/process/support/process.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::test {
namespace {

bool has_two_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return ::sched_getaffinity(0, sizeof cores, &cores) != 0 || CPU_COUNT(&cores) >= 2;
}

nlohmann::json smoke(std::vector<std::string> flags, int code) {
  const TempDir directory;
  const std::string file = directory.file("run.json");
  SpawnOptions options;
  options.args = {std::string(SLUICE_BUILD_DIR) + "/bench/fanout/bench_fanout", "--smoke", "--out",
                  file};
  options.args.insert(options.args.end(), flags.begin(), flags.end());
  const Finished finished = run(std::move(options), 100s);
  EXPECT_EQ(finished.status.code, code) << finished.output;
  return finished.status.code == code ? nlohmann::json::parse(read_file(file)) : nlohmann::json();
}

TEST(FanoutBench, SmallRunIsClean) {
  if (!has_two_cores()) GTEST_SKIP() << "needs two cores";
  const auto json = smoke({}, 0);
  ASSERT_FALSE(json.is_null());
  std::size_t ours = 0;
  for (const auto& one : json["runs"]) {
    EXPECT_GE(one["deliveries"].get<std::uint64_t>(), 50U * 25U) << one;
    for (const auto& fault : one["faults"]) EXPECT_EQ(fault.get<int>(), 0) << one;
    ours += one["server"].get<std::string>().rfind("sluice-", 0) == 0 ? 1U : 0U;
  }
  EXPECT_GE(ours, 1U);
  EXPECT_EQ(json["runs"][0]["server"], "floor-send");
}

/// The same bench must see what goes wrong.
TEST(FanoutBench, SeesEachKindOfFault) {
  if (!has_two_cores()) GTEST_SKIP() << "needs two cores";
  const auto json = smoke({"--servers", "floor-broken"}, 1);
  ASSERT_FALSE(json.is_null());
  const auto& faults = json["runs"][0]["faults"];
  for (const char* fault : {"lost", "twice", "misordered", "corrupt"})
    EXPECT_GE(faults[fault].get<int>(), 50) << faults;
  EXPECT_EQ(faults["disconnected"], 0);
}

}  // namespace
}  // namespace sluice::test
