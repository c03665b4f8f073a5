// The judge of restarts: a clean run is kept, and each thing that can go wrong breaks the promise
// that it belongs to and no other.
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "bench/restart/judge.h"
#include "bench/restart/report.h"

namespace sluice::restart {
namespace {

Restart restart_at(double at_s, const std::string& what, const std::string& subject) {
  Restart restart;
  restart.what = what;
  restart.subject = subject;
  restart.asked_s = at_s;
  restart.served_s = at_s + 0.2;
  restart.pid_before = restart.pid_after = 100;
  restart.pause_ms = 150;
  restart.executed = what == "relay-upgrade" || what == "upgrade";
  if (restart.executed) return restart;
  restart.exited_s = at_s + 0.05;
  restart.started_s = at_s + 0.06;
  restart.exit_signal = what == "kill" ? 9 : 0;
  restart.pid_after = 101;
  return restart;
}

/// Two rounds with everything in order.
Record clean(const std::string& scenario) {
  Record record;
  record.plan.scenario = scenario;
  record.plan.clients = 10;
  record.plan.speakers = 2;
  record.plan.rounds = 2;
  record.totals.received = 1000;
  record.totals.sent_up = record.totals.carried_up = 50;
  record.totals.open_at_end = 10 + 2 + (scenario == "idle" ? 1 : kGateways);
  const bool kill = scenario == "kill" || scenario == "relay-kill";
  for (const double at_s : {10.0, 20.0}) {
    if (scenario == "relay-upgrade" || scenario == "relay-kill") {
      record.restarts.push_back(restart_at(at_s, kill ? "kill" : "relay-upgrade", "relay"));
    } else if (scenario == "package") {
      record.restarts.push_back(restart_at(at_s, "relay-upgrade", "relay"));
      for (const char* gateway : {"1111", "2222", "3333", "4444"})
        record.restarts.push_back(restart_at(at_s, "planned", gateway));
    } else {
      record.restarts.push_back(restart_at(
          at_s, kill ? "kill" : (scenario == "upgrade" ? "upgrade" : "planned"), "1111"));
    }
  }
  record.relay.subscriber_ids = {"5,7", "5,7", "5,7"};
  record.relay.gap_events = record.relay.gap_events_wanted = 12;
  return record;
}

/// Names of the promises that are broken.
std::vector<std::string> broken(const Record& record) {
  std::vector<std::string> names;
  for (const Criterion& criterion : judge(record)) {
    if (!criterion.passed) names.push_back(criterion.name);
  }
  return names;
}
using Names = std::vector<std::string>;

Disconnect cut(double at_s, const std::string& gateway) {
  Disconnect one;
  one.at_s = at_s;
  one.gateway = gateway;
  one.manner = "ordinary";
  one.reason = "end of stream";
  return one;
}

void add_fault(Record& record, FaultKind kind, double at_s) {
  ++record.totals.faults[kind];
  record.faults.push_back({kind, Who::kListener, 3, 17, at_s, "ordinary"});
}

TEST(RestartJudge, CleanRunsAreKept) {
  for (const char* scenario :
       {"planned", "kill", "upgrade", "relay-upgrade", "relay-kill", "package", "idle"})
    EXPECT_EQ(broken(clean(scenario)), Names{}) << scenario;
}

TEST(RestartJudge, EachDeliveryFaultShows) {
  for (const auto& [kind, name] :
       {std::pair{FaultKind::kLost, "server to client: lost"},
        std::pair{FaultKind::kTwice, "server to client: twice"},
        std::pair{FaultKind::kMisordered, "server to client: out of order"},
        std::pair{FaultKind::kCorrupt, "server to client: corrupt"},
        std::pair{FaultKind::kPong, "pings without their pong, in order"}}) {
    for (const char* scenario : {"planned", "kill", "upgrade", "relay-upgrade", "package"}) {
      Record record = clean(scenario);
      add_fault(record, kind, 10.1);
      EXPECT_EQ(broken(record), Names{name}) << scenario;
    }
  }
}

TEST(RestartJudge, APlannedRestartCutsNobody) {
  Record record = clean("planned");
  record.disconnects.push_back(cut(10.1, "1111"));
  EXPECT_EQ(broken(record), Names{"clients disconnected"});
}

TEST(RestartJudge, AKillMayCutOneOfItsOwn) {
  Record record = clean("kill");
  record.disconnects = {cut(10.3, "1111"), cut(20.3, "1111")};
  EXPECT_EQ(broken(record), Names{});
  Record two = record;
  two.disconnects.push_back(cut(20.4, "1111"));
  EXPECT_EQ(broken(two), Names{"clients disconnected"});
  Record elsewhere = clean("kill");
  elsewhere.disconnects = {cut(10.3, "2222")};
  EXPECT_EQ(broken(elsewhere), Names{"clients disconnected"});
  Record by_itself = clean("kill");
  by_itself.disconnects = {cut(16, "1111")};
  EXPECT_EQ(broken(by_itself), Names{"clients disconnected"});
}

TEST(RestartJudge, PublishesAreLostInMidReadAlone) {
  const char* lost = "client to server: lost";
  Record planned = clean("planned");
  planned.lost_publishes.push_back({9.9, 1, 4, false});
  EXPECT_EQ(broken(planned), Names{lost});

  Record kill = clean("kill");
  kill.lost_publishes.push_back({9.9, 1, 4, false});
  EXPECT_EQ(broken(kill), Names{});
  kill.lost_publishes.push_back({9.95, 2, 4, false});
  EXPECT_EQ(broken(kill), Names{lost});

  // Written while the gateway was away: it waited in the kernel, and must come.
  Record later = clean("kill");
  later.lost_publishes.push_back({10.02, 1, 4, false});
  EXPECT_EQ(broken(later), Names{lost});
  later.lost_publishes.front().cut = true;
  EXPECT_EQ(broken(later), Names{});
}

TEST(RestartJudge, NothingIsPublishedTwice) {
  for (const char* scenario : {"planned", "kill", "relay-kill"}) {
    Record record = clean(scenario);
    record.totals.published_twice = 1;
    EXPECT_EQ(broken(record), Names{"client to server: published twice or out of order"});
  }
}

TEST(RestartJudge, NewcomersAreLetIn) {
  Record planned = clean("planned");
  planned.failed_upgrades.push_back({9.9, 10.1, "end of stream"});
  EXPECT_EQ(broken(planned), Names{"new connections that failed"});
  Record kill = clean("kill");
  kill.failed_upgrades.push_back({9.9, 10.1, "end of stream"});
  EXPECT_EQ(broken(kill), Names{});
  kill.failed_upgrades.push_back({10.1, 10.2, "HTTP/1.1 503 Service Unavailable"});
  EXPECT_EQ(broken(kill), Names{"new connections that failed"});
}

TEST(RestartJudge, ARestartMustHaveHappened) {
  Record same_process = clean("planned");
  same_process.restarts[1].pid_after = same_process.restarts[1].pid_before;
  EXPECT_EQ(broken(same_process), Names{"restarts done"});
  Record other_process = clean("upgrade");
  other_process.restarts[1].pid_after = 7;
  EXPECT_EQ(broken(other_process), Names{"restarts done"});
  Record ignored = clean("relay-upgrade");
  ignored.restarts[1].executed = false;
  EXPECT_EQ(broken(ignored), Names{"restarts done"});
  Record crashed = clean("planned");
  crashed.restarts[0].exit_signal = 6;
  EXPECT_EQ(broken(crashed), Names{"restarts done"});
  Record too_few = clean("planned");
  too_few.restarts.pop_back();
  EXPECT_EQ(broken(too_few), Names{"restarts done"});
}

TEST(RestartJudge, EverybodyIsThereAtTheEnd) {
  Record record = clean("planned");
  --record.totals.open_at_end;
  EXPECT_EQ(broken(record), Names{"clients connected at the end"});
}

TEST(RestartJudge, ARelayUpgradeKeepsItsSubscriber) {
  for (const char* scenario : {"relay-upgrade", "package"}) {
    Record record = clean(scenario);
    record.relay.subscriber_ids.back() = "5,8";
    EXPECT_EQ(broken(record), Names{"the same subscriber at Redis throughout"});
  }
}

TEST(RestartJudge, AKilledRelayLosesInItsGapAlone) {
  Record record = clean("relay-kill");
  add_fault(record, FaultKind::kLost, 10.1);
  EXPECT_EQ(broken(record), Names{});
  add_fault(record, FaultKind::kLost, 15);
  EXPECT_EQ(broken(record), Names{"server to client: lost outside of the gaps told"});
}

TEST(RestartJudge, AKilledRelayTellsEachGapAndEachUnknownFate) {
  Record gaps = clean("relay-kill");
  gaps.relay.gap_events = 13;
  EXPECT_EQ(broken(gaps), Names{"gap events"});
  Record fates = clean("relay-kill");
  fates.lost_publishes.push_back({9.9, 1, 4, false});
  EXPECT_EQ(broken(fates), Names{"client to server: lost, and not counted as of unknown fate"});
  fates.relay.unknown_fate = 1;
  EXPECT_EQ(broken(fates), Names{});
}

TEST(RestartJudge, IdleClientsWaitShortlyAndCheaply) {
  Record slow = clean("idle");
  slow.restarts[1].pause_ms = 501;
  EXPECT_EQ(broken(slow).size(), 1U);
  Record dear = clean("idle");
  dear.restarts[1].cpu_before_ms = 0.3;
  dear.restarts[1].cpu_after_ms = 0.31;
  EXPECT_EQ(broken(dear), Names{"CPU of a handoff per client"});
}

TEST(RestartJudge, SteadyCostIsTheUpperBound) {
  Record record = clean("steady");
  for (int i = 0; i < 10; ++i) record.costs.push_back({"W1 1000", 10, 10 + 0.02 * i});
  const Interval cost = steady_cost_percent(record.costs);
  EXPECT_NEAR(cost.median, 0.9, 1e-9);
  EXPECT_NEAR(cost.low, 0.2, 1e-9);   // the second
  EXPECT_NEAR(cost.high, 1.6, 1e-9);  // the ninth
  EXPECT_EQ(broken(record), Names{});
  for (CostPair& pair : record.costs) pair.with_us *= 1.05;
  EXPECT_EQ(broken(record).size(), 1U);
  record.costs.resize(5);
  for (CostPair& pair : record.costs) pair.with_us = pair.without_us;
  EXPECT_EQ(broken(record).size(), 1U) << "five pairs have no interval";
}

TEST(RestartReport, SaysWhatIsBroken) {
  Record record = clean("planned");
  record.disconnects.push_back(cut(10.1, "1111"));
  record.disconnects.back().reason = "\xFF";
  const auto criteria = judge(record);
  EXPECT_NE(to_table(record, criteria).find("BROKEN  clients disconnected"), std::string::npos);
  const auto json = nlohmann::json::parse(to_json(record, criteria));
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["restarts"].size(), 2U);
  EXPECT_EQ(json["disconnects"][0]["gateway"], "1111");
}

}  // namespace
}  // namespace sluice::restart
