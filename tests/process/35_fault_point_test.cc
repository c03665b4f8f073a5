// A gateway that dies at a chosen step, and the next one that goes on with its clients: what each
// row of ARCHITECTURE.md, "Handoff", promises, with traffic in both directions.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/process/support/handoff_traffic.h"
#include "tests/process/support/senders.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

Environment dies_at(const std::string& point) {
  return {{"SLUICE_FAULT_POINT", point}};
}

/// Descriptors while there are no clients.
struct Idle {
  std::size_t keeper;
  std::size_t gateway;
};

/// Of a gateway without clients and admin requests: its two listeners, the relay, the keeper.
constexpr std::size_t kOwnSockets = 4;
/// Its own listener, the gateway's two, the gateway.
constexpr std::size_t kKeeperSockets = 4;

Idle idle_of(HandoffStage& stage) {
  EXPECT_TRUE(eventually(5s, [&] { return sockets_of(stage.gateway()) == kOwnSockets; }));
  // The gateway's listeners are the last that it is told of.
  EXPECT_TRUE(eventually(5s, [&] { return stage.keeper_sockets() == kKeeperSockets; }));
  return {stage.keeper().fd_count(), stage.gateway().fd_count()};
}

/// Nothing stays behind when all clients have gone: at the keeper, in the gateway.
void expect_no_leak(HandoffStage& stage, HandoffTraffic& traffic, const Idle& before) {
  const std::size_t open = HandoffTraffic::clients() - traffic.closed();
  const auto at_keeper = [&](std::size_t clients) {
    return eventually(5s, [&] { return stage.keeper().fd_count() == before.keeper + clients; });
  };
  EXPECT_TRUE(at_keeper(open)) << stage.keeper().fd_count() << ", before " << before.keeper;
  traffic.leave();
  EXPECT_TRUE(eventually(5s, [&] { return stage.clients() == 0; })) << stage.clients();
  EXPECT_TRUE(at_keeper(0)) << stage.keeper().fd_count() << ", before " << before.keeper;
  EXPECT_TRUE(eventually(5s, [&] { return stage.gateway().fd_count() == before.gateway; }))
      << stage.gateway().fd_count() << ", before " << before.gateway;
}

HandoffStage::Settings sending(const std::string& io_uring) {
  HandoffStage::Settings settings;
  settings.gateway_args = {"--io-uring", io_uring};
  return settings;
}

// ---- a gateway that serves

struct Step {
  const char* point;
  std::size_t closed = 0;     ///< clients
  std::uint64_t lost_up = 0;  ///< messages of clients
};

class DiesServing : public testing::TestWithParam<std::tuple<Step, std::string>> {};

TEST_P(DiesServing, ClientsGoOn) {
  const auto& [step, io_uring] = GetParam();
  if (io_uring == "on" && !io_uring_allowed()) GTEST_SKIP() << "no io_uring here";
  HandoffStage stage(sending(io_uring));
  stage.start(dies_at(step.point));
  const Idle idle = idle_of(stage);
  HandoffTraffic traffic(stage);
  EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
  ASSERT_EQ(stage.gateway().wait_exit().signal, SIGKILL);
  stage.spawn();
  ASSERT_TRUE(traffic.goes_on());
  stage.wait_serving();
  EXPECT_TRUE(traffic.exact(step.lost_up));
  EXPECT_EQ(traffic.closed(), step.closed) << traffic.endings();
  expect_no_leak(stage, traffic, idle);
}

std::string name_of(const std::string& point) {
  std::string name;
  bool upper = true;
  for (const char c : point.substr(0, point.find(':'))) {
    if (c == '.') {
      upper = true;
      continue;
    }
    name += upper ? static_cast<char>(c - 'a' + 'A') : c;
    upper = false;
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, DiesServing,
                         testing::Combine(testing::Values(Step{"send.recorded:300"},
                                                          Step{"send.sent:300"},
                                                          Step{"read.taken:100", 1, 1}),
                                          testing::Values("on", "off")),
                         [](const auto& each) {
                           return name_of(std::get<0>(each.param).point) +
                                  (std::get<1>(each.param) == "on" ? "ByUring" : "BySend");
                         });

/// What it had read it had not worked off: nobody knows where it was, and at a frame's boundary of
/// ours it is told so.
TEST(DiesReading, TheClientIsToldToComeAgain) {
  HandoffStage stage;
  stage.start(dies_at("read.taken"));
  WsClient client = WsClient::connect(stage.endpoint());
  stage.gateway().wait_line("subscribed to livechat$");
  client.send_text("never heard");
  ASSERT_EQ(stage.gateway().wait_exit().signal, SIGKILL);
  stage.start();
  const WsEvent end = client.wait_close();
  EXPECT_EQ(end.code, 1012) << describe(end);
  EXPECT_EQ(client.next().kind, WsEvent::Kind::kEof);
  EXPECT_EQ(stage.gateway().lines("1 clients could not be taken over: ").size(), 1U);
}

// ---- a gateway that parks

class DiesParking : public testing::TestWithParam<const char*> {};

TEST_P(DiesParking, NothingIsLost) {
  HandoffStage stage;
  stage.start(dies_at(GetParam()));
  const Idle idle = idle_of(stage);
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  ASSERT_TRUE(traffic.has_waiting(stage));
  stage.gateway().signal(SIGUSR2);
  EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
  ASSERT_EQ(stage.gateway().wait_exit().signal, SIGKILL);
  stage.spawn();
  traffic.slow(false);
  ASSERT_TRUE(traffic.goes_on());
  stage.wait_serving();
  EXPECT_TRUE(traffic.exact());
  EXPECT_EQ(traffic.closed(), 0U) << traffic.endings();
  expect_no_leak(stage, traffic, idle);
}

INSTANTIATE_TEST_SUITE_P(All, DiesParking,
                         testing::Values("park.begun", "park.recorded", "park.told"),
                         [](const auto& each) { return name_of(each.param); });

/// It is told of the end and then executes a program: dead in between, it has parked all the same.
TEST(DiesUpgrading, TheNextOneHasItsClients) {
  HandoffStage stage;
  stage.start(dies_at("park.told"));
  const Idle idle = idle_of(stage);
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  SpawnOptions asking;
  asking.args = {tool_program(), "upgrade", "1111", "--relay", stage.relay().address()};
  Process tool(std::move(asking));
  EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
  ASSERT_EQ(stage.gateway().wait_exit().signal, SIGKILL);
  stage.spawn();
  ASSERT_TRUE(traffic.goes_on());
  stage.wait_serving();
  EXPECT_TRUE(traffic.exact());
  EXPECT_EQ(traffic.closed(), 0U) << traffic.endings();
  expect_no_leak(stage, traffic, idle);
}

// ---- a gateway that takes over

class DiesTakingOver : public testing::TestWithParam<std::tuple<const char*, bool>> {};

TEST_P(DiesTakingOver, TheNextOneDoes) {
  const auto& [point, planned] = GetParam();
  HandoffStage stage;
  stage.start();
  const Idle idle = idle_of(stage);
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  ASSERT_TRUE(traffic.has_waiting(stage));
  stage.gateway().signal(planned ? SIGUSR2 : SIGKILL);
  EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
  // Twice: what the first one leaves is found by another that dies there.
  for (int i = 0; i < 2; ++i) {
    stage.spawn(dies_at(point));
    EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
    ASSERT_EQ(stage.gateway().wait_exit().signal, SIGKILL);
  }
  stage.spawn();
  traffic.slow(false);
  ASSERT_TRUE(traffic.goes_on());
  stage.wait_serving();
  // A message that the killed one had read, and not yet passed on.
  EXPECT_TRUE(traffic.exact(planned ? 0 : HandoffTraffic::kSpeakers));
  EXPECT_LE(traffic.closed(), planned ? 0U : 1U) << traffic.endings();
  expect_no_leak(stage, traffic, idle);
}

INSTANTIATE_TEST_SUITE_P(All, DiesTakingOver,
                         testing::Combine(testing::Values("takeover.welcomed", "takeover.half",
                                                          "takeover.built", "takeover.recorded",
                                                          "takeover.taken", "send.recorded",
                                                          "send.sent"),
                                          testing::Bool()),
                         [](const auto& each) {
                           return name_of(std::get<0>(each.param)) +
                                  (std::get<1>(each.param) ? "AfterAPark" : "AfterAKill");
                         });

// ---- a client that comes or goes

/// Cut, as it would be by a gateway without a keeper; HAProxy tries again what had no answer.
class DiesOpening : public testing::TestWithParam<const char*> {};

TEST_P(DiesOpening, OnlyThatClientIsCut) {
  HandoffStage stage;
  const std::string last = ":" + std::to_string(HandoffTraffic::clients() + 1);
  stage.start(dies_at(GetParam() + last));
  const Idle idle = idle_of(stage);
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  Socket late = Socket::connect(stage.endpoint());
  late.send_all(upgrade_bytes({}));
  EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
  ASSERT_EQ(stage.gateway().wait_exit().signal, SIGKILL);
  stage.spawn();
  ASSERT_TRUE(traffic.goes_on());
  stage.wait_serving();
  const std::string answer = late.read_all(10s);
  const bool answered = std::string(GetParam()) == "open.answered";
  EXPECT_EQ(answer.rfind("HTTP/1.1 101", 0) == 0, answered) << answer;
  EXPECT_TRUE(traffic.exact(HandoffTraffic::kSpeakers));
  EXPECT_EQ(traffic.closed(), 0U) << traffic.endings();
  expect_no_leak(stage, traffic, idle);
}

INSTANTIATE_TEST_SUITE_P(All, DiesOpening, testing::Values("open.given", "open.answered"),
                         [](const auto& each) { return name_of(each.param); });

class DiesClosing : public testing::TestWithParam<const char*> {};

TEST_P(DiesClosing, TheClientSeesItsEnd) {
  HandoffStage stage;
  stage.start(dies_at(GetParam()));
  const Idle idle = idle_of(stage);
  HandoffTraffic traffic(stage);
  WsClient leaving = WsClient::connect(stage.endpoint(), "/channel/other");
  ASSERT_TRUE(traffic.goes_on());
  leaving.send_close(1000, "enough");
  EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
  ASSERT_EQ(stage.gateway().wait_exit().signal, SIGKILL);
  stage.spawn();
  ASSERT_TRUE(traffic.goes_on());
  stage.wait_serving();
  const WsEvent end = leaving.wait_close();
  EXPECT_EQ(end.code, 1000) << describe(end);
  EXPECT_EQ(leaving.next().kind, WsEvent::Kind::kEof);
  EXPECT_TRUE(traffic.exact(HandoffTraffic::kSpeakers));
  EXPECT_EQ(traffic.closed(), 0U) << traffic.endings();
  expect_no_leak(stage, traffic, idle);
}

INSTANTIATE_TEST_SUITE_P(All, DiesClosing, testing::Values("close.begun", "close.recorded"),
                         [](const auto& each) { return name_of(each.param); });

}  // namespace
}  // namespace sluice::test
