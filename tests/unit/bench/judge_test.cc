// A run in which every promise was kept, and the same with one of them broken at a time: the judge
// must say which.
#include "bench/deploy/judge.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "bench/deploy/report.h"

namespace sluice::bench {
namespace {

constexpr std::size_t kSeconds = 100;

Record good(const std::string& scenario = "rolling") {
  Record record;
  record.plan.scenario = scenario;
  record.plan.clients = 400;
  record.plan.drain_rate = 200;
  record.plan.hard_stop_s = 60;
  record.seconds.resize(kSeconds);
  for (ClientSecond& second : record.seconds) {
    second.open = {105, 95, 110, 90, 0};
    second.sent = 5;
    second.received = 500;
  }
  record.seconds[0].connects = 400;
  record.seconds[12].closes = {0, 200, 0, 0, 0};
  for (int i = 0; i < 200; ++i) record.closes.push_back({12 + i / 200.0, 1});
  record.seconds[13].reconnects = 200;
  for (std::size_t g = 0; g < kGateways; ++g) {
    const double at = 10 + 5.0 * static_cast<double>(g);
    record.events.push_back({at, "drain", gateway_name(g), 0});
    record.events.push_back({at + 3, "exited", gateway_name(g), 0});
    record.events.push_back({at + 4, "back", gateway_name(g), 0});
  }
  record.samples.resize(kSeconds);
  for (Sample& sample : record.samples) sample.balancer_answered = true;
  record.totals.long_open_at_end = 400;
  record.totals.close_codes[1001] = 200;
  record.totals.carried = 500;
  if (scenario == "reload") {
    record.plan.connection_age_s = 45;
    record.totals.long_open_at_end = 380;  // somebody is always on the way back
    record.events = {{10, "reload", "haproxy", 0}, {55, "old worker ended", "haproxy", 0}};
  }
  if (scenario == "kill") {
    record.seconds[10].cuts.at(1) = 95;
    record.seconds[10].cuts.at(kUnknownGateway) = 1;  // not yet greeted
    record.events = {{10, "kill", "2222", 0}, {12.1, "down", "2222", 0}, {25, "back", "2222", 0}};
    record.totals.close_codes.clear();
    record.seconds[12].closes = {};
    record.closes.clear();
  }
  return record;
}

std::string failed(const Record& record) {
  std::string names;
  for (const Criterion& criterion : judge(record)) {
    if (criterion.passed) continue;
    EXPECT_FALSE(criterion.measured.empty());
    names += criterion.name + ";";
  }
  EXPECT_EQ(names.empty(), all_passed(judge(record)));
  return names;
}

TEST(DeployJudge, KeptPromisesPass) {
  for (const char* scenario : {"rolling", "reload", "kill"}) {
    EXPECT_EQ(failed(good(scenario)), "") << scenario;
    EXPECT_GE(judge(good(scenario)).size(), 8U);
  }
}

struct Case {
  const char* name;
  const char* scenario;
  std::function<void(Record&)> breaks;
  const char* failed;
};

class DeployJudgeCatches : public ::testing::TestWithParam<Case> {};

TEST_P(DeployJudgeCatches, IsSaid) {
  Record record = good(GetParam().scenario);
  GetParam().breaks(record);
  EXPECT_EQ(failed(record), GetParam().failed);
}

INSTANTIATE_TEST_SUITE_P(
    BrokenPromises, DeployJudgeCatches,
    ::testing::Values(
        Case{"A503", "rolling", [](Record& r) { r.seconds[40].refused[503] = 1; },
             "failed upgrades;"},
        Case{"A429", "reload", [](Record& r) { r.seconds[40].refused[429] = 1; },
             "failed upgrades;"},
        Case{"ConnectError", "kill", [](Record& r) { r.seconds[40].connect_errors = 1; },
             "failed upgrades;"},
        Case{"NoAnswer", "rolling", [](Record& r) { r.seconds[40].timeouts = 1; },
             "failed upgrades;"},
        Case{"OneCloseTooMany", "rolling", [](Record& r) { r.seconds[12].closes.at(1) = 201; },
             "closes per second and gateway;"},
        Case{"TooFastAtAnUnknownGateway", "reload",
             [](Record& r) { r.seconds[12].closes.at(kUnknownGateway) = 201; },
             "closes per second and gateway;"},
        Case{"BareFin", "rolling", [](Record& r) { r.seconds[50].cuts.at(2) = 1; },
             "connections cut without a close frame;"},
        Case{"BareFinAtReload", "reload",
             [](Record& r) { r.seconds[50].cuts.at(kUnknownGateway) = 1; },
             "connections cut without a close frame;"},
        Case{"AnotherCode", "rolling", [](Record& r) { r.totals.close_codes[1013] = 1; },
             "close codes of the gateways;"},
        Case{"OneStaysAway", "rolling", [](Record& r) { r.totals.long_open_at_end = 399; },
             "clients connected at the end;"},
        Case{"OneAwayForLong", "reload", [](Record& r) { r.totals.long_away_at_end = 1; },
             "clients connected at the end;"},
        Case{"Lopsided", "rolling",
             [](Record& r) {
               for (ClientSecond& second : r.seconds) second.open = {122, 95, 104, 79, 0};
             },
             "each gateway's share after 60 s;"},
        Case{"EndedBeforeTheShareWasDue", "rolling", [](Record& r) { r.seconds.resize(80); },
             "each gateway's share after 60 s;"},
        Case{"Queued", "rolling", [](Record& r) { r.samples[60].rows.at(3).queued_max = 1; },
             "queued at HAProxy (slowstart, maxconn);"},
        Case{"QueuedAtTheBackend", "rolling",
             [](Record& r) { r.samples[60].rows.at(kGateways).queued = 1; },
             "queued at HAProxy (slowstart, maxconn);"},
        Case{"NobodyLooked", "rolling", [](Record& r) { r.samples.clear(); },
             "queued at HAProxy (slowstart, maxconn);"},
        Case{"OneMissing", "rolling", [](Record& r) { r.seconds[20].missing = 1; },
             "messages missing, repeated, misplaced, foreign;"},
        Case{"OneRepeated", "reload", [](Record& r) { r.seconds[20].repeated = 1; },
             "messages missing, repeated, misplaced, foreign;"},
        Case{"OneMisplaced", "kill", [](Record& r) { r.seconds[20].misplaced = 1; },
             "messages missing, repeated, misplaced, foreign;"},
        Case{"OneForeign", "rolling", [](Record& r) { r.seconds[20].foreign = 1; },
             "messages missing, repeated, misplaced, foreign;"},
        Case{"CarriedTwice", "rolling", [](Record& r) { r.totals.carried_twice = 1; },
             "messages missing, repeated, misplaced, foreign;"},
        Case{"OneNeverPublished", "rolling", [](Record& r) { r.totals.lost_publishes = 1; },
             "clients' messages that Redis never carried;"},
        Case{"StarvedOfCpu", "rolling", [](Record& r) { r.seconds[20].late_ms = 1001; },
             "the machine kept up: clients held up;"},
        Case{"BadExit", "rolling", [](Record& r) { r.events[4].value = 1; },
             "gateways restarted, exit code 0;"},
        Case{"OneNotRestarted", "rolling",
             [](Record& r) {
               std::erase_if(r.events, [](const Event& e) {
                 return e.subject == "3333" && e.what == "exited";
               });
             },
             "gateways restarted, exit code 0;"},
        Case{"OldWorkerUntilTheHardStop", "reload", [](Record& r) { r.events[1].at_s = 70.1; },
             "old HAProxy worker ends by itself;"},
        Case{"AnotherGatewaysClientCut", "kill", [](Record& r) { r.seconds[11].cuts.at(0) = 1; },
             "connections cut: of the killed gateway, of others;"},
        Case{"SomebodyCutLater", "kill",
             [](Record& r) { r.seconds[12].cuts.at(kUnknownGateway) = 1; },
             "connections cut: of the killed gateway, of others;"},
        Case{"DownLate", "kill", [](Record& r) { r.events[1].at_s = 13.2; },
             "marked down by HAProxy;"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(DeployJudge, WindowsBeginAnywhere) {
  Record record = good();
  // 150 in the last half of one second and 150 in the first half of the next: no second of the
  // clock has more than 150.
  record.closes.clear();
  for (int i = 0; i < 300; ++i) record.closes.push_back({20.5 + i / 300.0, 2});
  record.closes.push_back({21.5001, 3});  // another gateway's
  record.seconds[20].closes.at(2) = 150;
  record.seconds[21].closes.at(2) = 150;
  EXPECT_EQ(busiest_second(record).closes, 200U);
  EXPECT_EQ(busiest_window(record), 300U);
}

TEST(DeployReport, JsonHasEverySecondAndTableEveryCriterion) {
  Record record = good();
  record.seconds[40].refused[503] = 2;
  const auto criteria = judge(record);
  const auto json = nlohmann::json::parse(to_json(record, criteria));
  EXPECT_FALSE(json["passed"].get<bool>());
  EXPECT_EQ(json["criteria"].size(), criteria.size());
  EXPECT_EQ(json["seconds"]["open"]["1111"].size(), kSeconds);
  EXPECT_EQ(json["seconds"]["refused"]["503"].size(), kSeconds);
  EXPECT_EQ(json["seconds"]["refused"]["503"][40], 2);
  EXPECT_EQ(json["seconds"]["closes"]["2222"][12], 200);
  EXPECT_EQ(json["samples"].size(), kSeconds);
  const std::string table = to_table(record, criteria);
  for (const Criterion& criterion : criteria)
    EXPECT_NE(table.find(criterion.name), std::string::npos);
  EXPECT_NE(table.find("FAIL  failed upgrades"), std::string::npos);
  EXPECT_NE(table.find("2 × 503"), std::string::npos);
  EXPECT_NE(table.find("NOT every promise"), std::string::npos);
}

}  // namespace
}  // namespace sluice::bench
