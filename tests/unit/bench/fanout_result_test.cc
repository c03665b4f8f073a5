// Medians, ratios within a repetition, and what the JSON promises.
#include "bench/fanout/result.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::fanout {
namespace {

Run run_of(const std::string& server, int repetition, double cpu) {
  Run run;
  run.workload = "W1";
  run.variant = "1000";
  run.server = server;
  run.repetition = repetition;
  run.cpu_us_per_delivery = cpu;
  return run;
}

TEST(FanoutResult, Median) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
}

TEST(FanoutResult, RatiosAreOfTheSameRepetition) {
  // The machine slows down: values drift, the ratio does not.
  std::vector<fanout::Run> runs;
  for (const int repetition : {1, 2, 3}) {
    runs.push_back(run_of("floor-send", repetition, repetition * 10.0));
    runs.push_back(run_of("sluice-send", repetition, repetition * 20.0));
  }
  const auto rows = summarize(runs);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].server, "sluice-send");
  EXPECT_EQ(rows[1].median, 40);
  EXPECT_EQ(rows[1].ratio_to_floor, 2.0);
}

TEST(FanoutResult, WhoFailedHasNoRow) {
  fanout::Run failed = run_of("nchan", 1, 0);
  failed.cpu_us_per_delivery.reset();
  failed.note = "did not start";
  Report report;
  report.servers = {{"nchan", "peer", "nchan", "1"}};
  report.runs = {failed};
  EXPECT_TRUE(summarize(report.runs).empty());
  EXPECT_NE(to_table(report).find("W1 1000 nchan #1: did not start"), std::string::npos);
}

TEST(FanoutResult, JsonHasEveryField) {
  Report report;
  report.servers = {{"floor-send", "floor", "bare loop", "1"}};
  report.runs = {run_of("floor-send", 1, 5)};
  report.runs[0].faults.lost = 2;
  const auto json = nlohmann::json::parse(to_json(report));
  EXPECT_EQ(json["version"], 1);
  const auto& run = json["runs"][0];
  EXPECT_EQ(run["faults"]["lost"], 2);
  EXPECT_EQ(run["cpu_us_per_delivery"], 5.0);
  EXPECT_TRUE(run["bytes_per_client"].is_null());
  EXPECT_TRUE(run["latency_us"].is_null());
  const auto& row = json["summary"][0];
  EXPECT_EQ(row["metric"], "cpu_us_per_delivery");
  EXPECT_EQ(row["ratio_to_floor"], 1.0);
}

}  // namespace
}  // namespace sluice::fanout
