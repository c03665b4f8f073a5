// The deploy bench, small: what `./dev bench deploy` runs at full size must not rot. The judge's
// own tests are in tests/unit/bench.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/process/support/process.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::test {
namespace {

std::string bench_program() {
  return std::string(SLUICE_BUILD_DIR) + "/bench/deploy/bench_deploy";
}

/// A run with these flags: its exit code and what it has written.
struct Outcome {
  int code = -1;
  std::string output;
  nlohmann::json json;

  [[nodiscard]] bool kept(const std::string& promise) const {
    for (const auto& criterion : json["criteria"]) {
      if (criterion["name"] == promise) return criterion["passed"].get<bool>();
    }
    ADD_FAILURE() << "no such promise: " << promise;
    return false;
  }
};

Outcome deploy(std::vector<std::string> flags) {
  const TempDir directory;
  SpawnOptions options;
  options.args = {bench_program(), "--out", directory.file("run")};
  options.args.insert(options.args.end(), flags.begin(), flags.end());
  const Finished finished = run(std::move(options), 150s);
  Outcome outcome{finished.status.code, finished.output, {}};
  if (outcome.code == 0 || outcome.code == 1) {
    outcome.json = nlohmann::json::parse(read_file(directory.file("run.json")));
  }
  return outcome;
}

TEST(DeployBench, RollingRestartKeepsEveryPromise) {
  const Outcome outcome = deploy({"--quick"});
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("Every promise kept."), std::string::npos);
  std::uint64_t closes = 0;
  for (const char* gateway : {"1111", "2222", "3333", "4444"}) {
    for (const auto& count : outcome.json["seconds"]["closes"][gateway])
      closes += count.get<std::uint64_t>();
  }
  // Four gateways with some 50 clients each were drained, the later ones with more.
  EXPECT_GE(closes, 200U);
  EXPECT_GT(outcome.json["totals"]["carried"], 300);
}

/// The same bench must see what goes wrong.
TEST(DeployBench, SeesWhoIsCut) {
  // Without --max-connection-age everybody stays in HAProxy's old worker until hard-stop-after.
  const Outcome outcome = deploy({"--quick", "--scenario", "reload", "--clients", "60",
                                  "--max-connection-age", "0s", "--hard-stop-after", "3s"});
  ASSERT_EQ(outcome.code, 1) << outcome.output;
  EXPECT_FALSE(outcome.kept("connections cut without a close frame"));
  EXPECT_FALSE(outcome.kept("old HAProxy worker ends by itself"));
  EXPECT_TRUE(outcome.kept("failed upgrades"));
  EXPECT_TRUE(outcome.kept("clients connected at the end"));
}

}  // namespace
}  // namespace sluice::test
