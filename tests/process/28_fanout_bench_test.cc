// The fan-out bench, small: what `./dev bench` runs at full size must not rot. No figure is judged,
// only that every delivery was right. The judge's own tests are in tests/unit/bench.
#include <gtest/gtest.h>
#include <sched.h>

#include <nlohmann/json.hpp>

#include "tests/process/support/process.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/temp_dir.h"
#include "tests/process/support/ws_client.h"

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

/// The floors are correct servers, or their cost says nothing: who reads late gets everything,
/// whole and in order, and delays nobody.
class FloorServers : public testing::TestWithParam<std::string> {};

TEST_P(FloorServers, KeepWhatASocketDoesNotTake) {
  const TempDir directory;
  RedisServer redis(directory);
  Endpoint floor;
  floor.port = free_port();
  SpawnOptions options;
  options.args = {std::string(SLUICE_BUILD_DIR) + "/bench/fanout/" + GetParam(), "--port",
                  std::to_string(floor.port), "--redis-port", std::to_string(redis.port())};
  Process process(std::move(options));
  const auto up = [&] {
    if (!process.running()) return true;
    try {
      return Socket::connect(floor).fd() >= 0;
    } catch (const HarnessError&) {
      return false;
    }
  };
  ASSERT_TRUE(eventually(20s, up));
  if (!process.running()) GTEST_SKIP() << "no io_uring here: " << process.output();

  UpgradeRequest request;
  request.path = "/channel/a";
  WsClient slow = WsClient::dial(floor, request, 4096);
  WsClient quick = WsClient::connect(floor, request.path);
  ASSERT_TRUE(eventually(10s, [&] { return redis.subscribers("a") == 1; }));
  // Beyond what the kernel keeps for one connection.
  constexpr int kMessages = 400;
  constexpr std::size_t kBytes = 30000;
  RespClient publisher(redis.endpoint());
  const auto text = [](int number) {
    return std::to_string(number) + std::string(kBytes, static_cast<char>('a' + number % 26));
  };
  for (int i = 0; i < kMessages; ++i) {
    publisher.command({"PUBLISH", "a", text(i)});
    ASSERT_EQ(quick.text(), text(i));
  }
  for (int i = 0; i < kMessages; ++i) ASSERT_EQ(slow.text(), text(i));
}

INSTANTIATE_TEST_SUITE_P(FanoutBench, FloorServers, testing::Values("floor_send", "floor_uring"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace sluice::test
