// The fan-out bench, small: what `./dev bench` runs at full size must not rot. No figure is judged,
// only that every delivery was right. The judge's own tests are in tests/unit/bench.
#include <gtest/gtest.h>
#include <sched.h>

#include <nlohmann/json.hpp>

#include "tests/process/support/process.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::test {
namespace {

TEST(FanoutBench, SmallRunIsClean) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) < 2)
    GTEST_SKIP() << "needs two cores";
  const TempDir directory;
  const std::string file = directory.file("run.json");
  SpawnOptions options;
  options.args = {std::string(SLUICE_BUILD_DIR) + "/bench/fanout/bench_fanout", "--smoke", "--out",
                  file};
  const Finished finished = run(std::move(options), 100s);
  ASSERT_EQ(finished.status.code, 0) << finished.output;
  const auto json = nlohmann::json::parse(read_file(file));
  std::size_t ours = 0;
  for (const auto& one : json["runs"]) {
    EXPECT_GE(one["deliveries"].get<std::uint64_t>(), 50U * 25U) << one;
    for (const auto& fault : one["faults"]) EXPECT_EQ(fault.get<int>(), 0) << one;
    ours += one["server"].get<std::string>().rfind("sluice-", 0) == 0 ? 1U : 0U;
  }
  EXPECT_GE(ours, 1U);
  EXPECT_EQ(json["runs"][0]["server"], "floor-send");
}

}  // namespace
}  // namespace sluice::test
