// What the restart tests are judged by, against faults that are there: the supervisor restarts what
// it must, and the fleet sees each lie on the way to its clients, and each client that is lost.
#include <gtest/gtest.h>
#include <signal.h>

#include "bench/restart/fleet.h"
#include "bench/restart/judge.h"
#include "bench/restart/message.h"
#include "bench/restart/report.h"
#include "bench/restart/scenario.h"
#include "tests/process/support/daemons.h"
#include "tests/process/support/fault_proxy.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/supervisor.h"

namespace sluice::test {
namespace {

using restart::FaultKind;

SpawnOptions shell(const std::string& script) {
  SpawnOptions options;
  options.args = {"/bin/sh", "-c", script};
  return options;
}

TEST(Supervisor, StartsAgainAfterAFailureOnly) {
  Supervisor failing(shell("exit 3"), 3);
  failing.wait_started(3);
  EXPECT_TRUE(eventually(10s, [&] { return !failing.running(); }));
  EXPECT_EQ(failing.starts(), 3U);
  for (std::size_t start = 1; start <= 3; ++start) EXPECT_EQ(failing.life(start).status.code, 3);

  Supervisor content(shell("exit 0"));
  EXPECT_TRUE(eventually(10s, [&] { return !content.running(); }));
  EXPECT_EQ(content.starts(), 1U);
}

TEST(Supervisor, StartsAgainAfterAKill) {
  Supervisor supervisor(shell("exec sleep 1000"));
  const pid_t first = supervisor.pid();
  supervisor.signal(SIGKILL);
  supervisor.wait_started(2);
  EXPECT_NE(supervisor.pid(), first);
  EXPECT_EQ(supervisor.life(1).status.signal, SIGKILL);
  EXPECT_EQ(::kill(first, 0), -1) << "reaped";
}

TEST(Supervisor, ARestartJobStartsAgainWhatEndsInOrder) {
  Supervisor supervisor(shell("trap 'exit 0' USR2; echo up; while :; do sleep 0.01; done"));
  supervisor.process()->wait_line("up");
  supervisor.restart(SIGUSR2);
  supervisor.wait_started(2);
  EXPECT_EQ(supervisor.life(1).status.code, 0);
  // The job is done: the next end in order is an end.
  supervisor.process()->wait_line("up");
  supervisor.signal(SIGUSR2);
  EXPECT_TRUE(eventually(10s, [&] { return !supervisor.running(); }));
  EXPECT_EQ(supervisor.starts(), 2U);
}

TEST(Supervisor, StopIsNoRestart) {
  Supervisor supervisor(shell("trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done"));
  supervisor.process()->wait_line("up");
  EXPECT_EQ(supervisor.stop().code, 7);
  EXPECT_FALSE(supervisor.running());
  EXPECT_EQ(supervisor.starts(), 1U);
}

/// One gateway behind a proxy that may lie.
class LyingWay {
 public:
  LyingWay()
      : redis_(directory_), stack_(settings(redis_)), proxy_(stack_.gateway().endpoint(), "") {}

  FaultProxy& proxy() { return proxy_; }

  /// Clients come, `during` is done to them, all calms down.
  restart::Record run(const std::function<void()>& during) {
    restart::Plan plan;
    plan.clients = 20;
    plan.speakers = 6;
    plan.up_per_s = 20;
    plan.newcomers_per_s = 5;
    restart::Targets targets;
    targets.balancer = proxy_.endpoint();
    targets.redis = redis_.unix_endpoint();
    restart::Fleet fleet(plan, targets, SteadyClock::now());
    const auto until = [&](const std::function<bool()>& holds) {
      return eventually(30s, [&] {
        fleet.check();
        return holds();
      });
    };
    EXPECT_TRUE(until([&] { return fleet.view().warm.load(); }));
    during();
    const std::uint64_t before = fleet.view().received;
    EXPECT_TRUE(until([&] { return fleet.view().received > before + 1000; }));
    fleet.calm();
    (void)eventually(5s, [&] {
      fleet.check();
      return fleet.view().quiet.load();
    });
    restart::Record record;
    record.plan = plan;
    fleet.tell(record);
    return record;
  }

 private:
  static Stack::Settings settings(const RedisServer& redis) {
    Stack::Settings settings;
    settings.relay_args = {"--broker", redis.unix_url()};
    settings.gateway_args = {"--greeting", "at {id}", "--greeting-delay", "0s"};
    return settings;
  }

  TempDir directory_;
  RedisServer redis_;
  Stack stack_;
  FaultProxy proxy_;
};

std::uint64_t faults(const restart::Record& record, FaultKind kind) {
  const auto found = record.totals.faults.find(kind);
  return found == record.totals.faults.end() ? 0 : found->second;
}

TEST(RestartFleet, FindsNothingWhereNothingIsWrong) {
  LyingWay way;
  const restart::Record record = way.run([] {});
  for (const FaultKind kind : {FaultKind::kLost, FaultKind::kTwice, FaultKind::kMisordered,
                               FaultKind::kCorrupt, FaultKind::kPong})
    EXPECT_EQ(faults(record, kind), 0U) << name_of(kind);
  EXPECT_EQ(record.disconnects.size(), 0U);
  EXPECT_EQ(record.failed_upgrades.size(), 0U);
  EXPECT_EQ(record.lost_publishes.size(), 0U);
  EXPECT_EQ(record.totals.open_at_end, 26U);
  // And it did look.
  EXPECT_GT(record.totals.newcomers, 0U);
  EXPECT_GT(record.totals.pongs, 0U);
  EXPECT_EQ(record.totals.pongs, record.totals.pings);
  EXPECT_GT(record.totals.sent_up, 5U);
  EXPECT_EQ(record.totals.heard_up, record.totals.sent_up);
}

enum class Lie { kLose, kDuplicate, kSwap, kCorrupt, kSpoilPong };

struct LieCase {
  const char* name;
  Lie lie;
  FaultKind seen_as;
};

/// Size of the text frame at `at` with one of our messages, small enough for a short head; 0: there
/// is none whole.
std::size_t message_frame(const std::string& bytes, std::size_t at) {
  constexpr std::size_t kHead = 4;
  if (bytes.size() < at + kHead + 1 || bytes[at] != '\x81' || bytes[at + 1] != 126 ||
      bytes[at + kHead] != 'M')
    return 0;
  const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(bytes[at + 2]))
                               << 8U |
                           static_cast<unsigned char>(bytes[at + 3]);
  return bytes.size() < at + kHead + size ? 0 : kHead + size;
}

/// Once; false: these bytes have no place for it.
bool tell(Lie lie, std::string& bytes) {
  if (lie == Lie::kSpoilPong) {
    if (bytes.size() < 4 || bytes[0] != '\x8A') return false;
    bytes[2] = 'x';
    return true;
  }
  const std::size_t first = message_frame(bytes, 0);
  if (first == 0) return false;
  const std::size_t second = message_frame(bytes, first);
  switch (lie) {
    case Lie::kLose:
      bytes.erase(0, first);
      return true;
    case Lie::kDuplicate:
      bytes.insert(0, bytes.substr(0, first));
      return true;
    case Lie::kSwap:
      if (second == 0) return false;
      bytes = bytes.substr(first, second) + bytes.substr(0, first) + bytes.substr(first + second);
      return true;
    default:
      bytes[first - 1] = bytes[first - 1] == 'x' ? 'y' : 'x';
      return true;
  }
}

class RestartFleetSees : public testing::TestWithParam<LieCase> {};

TEST_P(RestartFleetSees, OneLie) {
  LyingWay way;
  // The proxy's thread tells it, once it may, at the next opportunity.
  std::atomic<int> lies{0};
  way.proxy().tamper([&](std::string& bytes) {
    if (lies > 0 && tell(GetParam().lie, bytes)) --lies;
  });
  // Two messages in one piece are rare: the proxy stands still for a moment and has them all then.
  const restart::Record record = way.run([&] {
    lies = 1;
    way.proxy().pause(true);
    observe_for(300ms);
    way.proxy().pause(false);
    EXPECT_TRUE(eventually(20s, [&] { return lies == 0; }));
  });
  EXPECT_EQ(lies, 0);
  EXPECT_EQ(faults(record, GetParam().seen_as), 1U)
      << restart::to_json(record, restart::judge(record));
  std::uint64_t all = 0;
  for (const auto& [kind, count] : record.totals.faults) all += count;
  // What was spoiled never came as it should have.
  const bool lost_too = GetParam().lie == Lie::kCorrupt;
  EXPECT_EQ(all, lost_too ? 2U : 1U);
}

INSTANTIATE_TEST_SUITE_P(All, RestartFleetSees,
                         testing::Values(LieCase{"Lost", Lie::kLose, FaultKind::kLost},
                                         LieCase{"Twice", Lie::kDuplicate, FaultKind::kTwice},
                                         LieCase{"Swapped", Lie::kSwap, FaultKind::kMisordered},
                                         LieCase{"Corrupt", Lie::kCorrupt, FaultKind::kCorrupt},
                                         LieCase{"Pong", Lie::kSpoilPong, FaultKind::kPong}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(RestartFleet, SeesWhoIsCut) {
  LyingWay way;
  const restart::Record record = way.run([&] { way.proxy().cut(); });
  EXPECT_GE(record.disconnects.size(), 26U);
  EXPECT_EQ(record.disconnects.front().close_code, 0);
  EXPECT_EQ(record.totals.open_at_end, 26U) << "they come back";
}

/// The whole bench against gateways that hand nothing over: everybody on the killed one is cut.
TEST(RestartBench, SeesAKillWithoutAKeeper) {
  restart::RunOptions options;
  options.plan = restart::plan_of("kill", true);
  options.plan.rounds = 1;
  // Enough for each gateway to have some, whatever weighs on one of them.
  options.plan.clients *= 2;
  options.keepers = false;
  const restart::Record record = restart::run_scenario(options);
  const auto criteria = restart::judge(record);
  for (const restart::Criterion& criterion : criteria) {
    const bool broken = criterion.name == "clients disconnected";
    EXPECT_EQ(criterion.passed, !broken) << criterion.name << ": " << criterion.measured;
  }
  EXPECT_GE(record.disconnects.size(), 10U);
}

}  // namespace
}  // namespace sluice::test
