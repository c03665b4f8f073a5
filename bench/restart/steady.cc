#include "bench/restart/steady.h"

#include <nlohmann/json.hpp>

#include "bench/restart/machine.h"
#include "tests/process/support/process.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::restart {
namespace {

using namespace std::chrono_literals;

constexpr test::Millis kLongest = 2h;

const char* server_of(const Plan& plan) {
  return plan.io_uring == "off" ? "sluice-send" : "sluice-uring";
}

test::SpawnOptions fanout_command(const Plan& plan, const std::string& out) {
  const std::string server = server_of(plan);
  test::SpawnOptions command;
  command.args = {std::string(SLUICE_BUILD_DIR) + "/bench/fanout/bench_fanout",
                  plan.quick ? "W1/1000" : "W1",
                  "--servers",
                  server + "," + server + "-keeper",
                  "--reps",
                  std::to_string(plan.rounds),
                  "--seconds",
                  plan.quick ? "1" : "4",
                  "--out",
                  out};
  return command;
}

/// Runs of one repetition stand for a pair.
std::vector<CostPair> pairs_of(const nlohmann::json& report, const std::string& server) {
  std::map<std::pair<std::string, int>, CostPair> pairs;
  for (const auto& run : report["runs"]) {
    if (run["cpu_us_per_delivery"].is_null()) continue;
    const std::string variant = run["variant"];
    CostPair& pair = pairs[{variant, run["repetition"].get<int>()}];
    pair.variant = "W1 " + variant;
    const double us = run["cpu_us_per_delivery"];
    (run["server"] == server ? pair.without_us : pair.with_us) = us;
  }
  std::vector<CostPair> whole;
  for (const auto& [key, pair] : pairs) {
    if (pair.without_us > 0 && pair.with_us > 0) whole.push_back(pair);
  }
  return whole;
}

}  // namespace

Record run_steady(const RunOptions& options) {
  const test::TempDir directory;
  const std::string out = directory.file("steady.json");
  options.progress("the fan-out bench runs W1 with and without a keeper in turns");
  const test::Finished finished = test::run(fanout_command(options.plan, out), kLongest);
  if (finished.status.code != 0)
    throw test::HarnessError("the fan-out bench failed: " + finished.output);
  Record record;
  record.plan = options.plan;
  record.machine = this_machine();
  record.costs = pairs_of(nlohmann::json::parse(test::read_file(out)), server_of(options.plan));
  return record;
}

}  // namespace sluice::restart
