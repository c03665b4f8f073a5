// The bench of many channels, small: what `./dev bench channels` runs at full size must not rot.
// Its figures are told, not judged; its promises are: who comes back recovers from the ring, with
// no history read at the broker. The judge's own tests are in tests/unit/bench.
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
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

class ChannelsBench : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(ChannelsBench, KeepsItsPromises) {
  if (!has_two_cores()) GTEST_SKIP() << "needs two cores";
  const bool full = std::getenv("SLUICE_TEST_FULL") != nullptr;
  const TempDir directory;
  const std::string file = directory.file("run.json");
  SpawnOptions options;
  options.args = {std::string(SLUICE_BUILD_DIR) + "/bench/channels/bench_channels", "--out", file};
  if (!full) options.args.emplace_back("--quick");
  options.args.insert(options.args.end(), GetParam().begin(), GetParam().end());
  const Finished finished = run(std::move(options), full ? 900s : 100s);
  ASSERT_EQ(finished.status.code, 0) << finished.output;
  const auto json = nlohmann::json::parse(read_file(file));
  ASSERT_EQ(json["phases"].size(), 5U);
  const auto& recover = json["phases"][4];
  EXPECT_EQ(recover["name"], "recover");
  EXPECT_EQ(recover["history_reads"], 0);
  EXPECT_EQ(recover["ring_recoveries"],
            json["recover"].get<std::uint64_t>() * json["per_client"].get<std::uint64_t>());
}

INSTANTIATE_TEST_SUITE_P(Channels, ChannelsBench,
                         testing::Values(std::vector<std::string>{},
                                         std::vector<std::string>{"--protobuf", "--memory"}),
                         [](const auto& each) { return each.index == 0 ? "Redis" : "Memory"; });

}  // namespace
}  // namespace sluice::test
