// Gateways with a keeper, and relays, that are replaced or killed under clients of the Centrifuge
// protocol: what the clients must not notice, and what they are told.
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <set>

#include "tests/process/support/centrifuge_traffic.h"
#include "tests/process/support/handoff_stage.h"
#include "tests/process/support/hook_server.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/senders.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

using Json = SdkDriver::Json;

constexpr const char* kRules = R"(
[connection]
anonymous = true
rpc_hook = true

[namespaces.kept]
subscribe = "everyone"
publish = "everyone"
history = "everyone"
history_size = 1000
history_ttl = "10m"
recovery = "forced"
recover_max = 1000
presence = "everyone"
join_leave = "on-demand"
publisher_info = true

[namespaces.ring]
subscribe = "everyone"
publish = "everyone"
recovery = "forced"
presence = "everyone"
join_leave = "on-demand"
)";

enum class Change { kPark, kKill, kUpgrade };

std::string name_of(Change change) {
  return change == Change::kPark ? "Park" : change == Change::kKill ? "Kill" : "Upgrade";
}

/// "send.recorded:300" → "SendRecorded"
std::string name_of(const std::string& point) {
  std::string name;
  bool upper = true;
  for (const char c : point.substr(0, point.find(':'))) {
    if (c != '.') name += upper ? static_cast<char>(c - 'a' + 'A') : c;
    upper = c == '.';
  }
  return name;
}

class CentrifugeHandoff : public ::testing::Test {
 protected:
  void stage(Args gateway_args = {}) {
    HandoffStage::Settings settings;
    settings.relay_args = {"--broker", redis_.url(), "--rules", rules_};
    settings.beside_args = {"--rules", rules_, "--token-key-file", keys_, "--publish-wait", "30s"};
    settings.gateway_args = {"--rules", rules_, "--token-key-file", keys_, "--publish-wait", "30s"};
    settings.gateway_args.insert(settings.gateway_args.end(), gateway_args.begin(),
                                 gateway_args.end());
    stage_ = std::make_unique<HandoffStage>(std::move(settings));
  }
  void start(Args gateway_args = {}, Environment environment = {}) {
    stage(std::move(gateway_args));
    stage_->start(std::move(environment));
  }

  CentrifugeTraffic::Settings traffic(std::size_t clients, std::size_t sdks) const {
    CentrifugeTraffic::Settings settings;
    settings.to = stage_->endpoint();
    settings.speak_at = stage_->beside().endpoint();
    settings.clients = clients;
    settings.sdks = sdks;
    settings.shared = "kept:shared";
    settings.others = {"kept:1", "ring:2", "kept:3", "ring:4"};
    settings.shared_every = 20ms;
    settings.others_every = 100ms;
    settings.subscribe.recoverable = true;
    return settings;
  }
  CentrifugeOptions at_stage(bool reconnect = false) const {
    CentrifugeOptions options;
    options.to = stage_->endpoint();
    options.reconnect = reconnect;
    return options;
  }
  CentrifugeOptions at_beside() const {
    CentrifugeOptions options;
    options.to = stage_->beside().endpoint();
    return options;
  }

  /// The gateway ends so, and the next one has its clients.
  void change(Change how) {
    if (how == Change::kUpgrade) {
      SpawnOptions options;
      options.args = {tool_program(), "upgrade", "1111", "--relay", stage_->relay().address()};
      const Finished done = run(std::move(options), 60s);
      EXPECT_EQ(done.status.code, 0) << done.output;
      return;
    }
    if (how == Change::kPark) return void(stage_->restart());
    stage_->gateway().kill();
    stage_->start();
  }

  std::string token(const Args& more) const {
    SpawnOptions options;
    options.args = {tool_program(), "token", "make", "--key-file", keys_};
    options.args.insert(options.args.end(), more.begin(), more.end());
    const Finished made = run(std::move(options));
    EXPECT_EQ(made.status.code, 0) << made.output;
    return made.output.substr(0, made.output.find('\n'));
  }
  static centrifuge::Command history(const std::string& channel, std::uint32_t limit) {
    centrifuge::Command command;
    command.mutable_history()->set_channel(channel);
    command.mutable_history()->set_limit(static_cast<std::int32_t>(limit));
    return command;
  }
  /// Ids of who is there.
  static std::set<std::string> present(CentrifugeFleet& fleet, std::size_t asker,
                                       const std::string& channel) {
    centrifuge::Command command;
    command.mutable_presence()->set_channel(channel);
    const centrifuge::Reply reply = fleet.call(asker, command);
    EXPECT_FALSE(reply.has_error()) << reply.error().message();
    std::set<std::string> ids;
    for (const auto& [id, info] : reply.presence().presence()) ids.insert(id);
    return ids;
  }

  TempDir directory_;
  RedisServer redis_{directory_, "", RedisServer::durable()};
  const std::string rules_ = directory_.write("rules.toml", kRules);
  const std::string keys_ = directory_.write("keys", "HS256 0123456789abcdef0123456789abcdef\n");
  std::unique_ptr<HandoffStage> stage_;
};

// ---- clients that must not notice

class CentrifugeHandoffBy : public CentrifugeHandoff, public testing::WithParamInterface<Change> {};

INSTANTIATE_TEST_SUITE_P(All, CentrifugeHandoffBy,
                         testing::Values(Change::kPark, Change::kKill, Change::kUpgrade),
                         [](const auto& each) { return name_of(each.param); });

TEST_P(CentrifugeHandoffBy, ClientsDoNotNotice) {
  start();
  CentrifugeTraffic clients(traffic(20, 6));
  CentrifugeFleet& fleet = clients.fleet();
  // Who sees everybody come and go.
  const std::size_t watcher = fleet.connect(at_beside());
  for (const char* channel : {"kept:shared", "ring:2"})
    fleet.subscribe(watcher, channel, {.recoverable = true, .join_leave = true});
  ASSERT_TRUE(clients.goes_on());
  ASSERT_TRUE(clients.run_until(10s, [&] { return clients.all_there(); }));
  const auto joins = [&](const char* channel) {
    const CentrifugeStream& stream = fleet.stream(watcher, channel);
    return std::pair(stream.joins, stream.leaves);
  };
  const auto shared = present(fleet, watcher, "kept:shared");
  const auto other = present(fleet, watcher, "ring:2");
  EXPECT_EQ(shared.size(), 27U);
  const auto joins_shared = joins("kept:shared");
  const auto joins_other = joins("ring:2");
  for (int i = 0; i < 3; ++i) {
    clients.meanwhile([&] { change(GetParam()); });
    ASSERT_TRUE(clients.goes_on());
    EXPECT_EQ(present(fleet, watcher, "kept:shared"), shared);
    EXPECT_EQ(present(fleet, watcher, "ring:2"), other);
  }
  EXPECT_TRUE(clients.exact());
  EXPECT_TRUE(clients.unnoticed());
  EXPECT_EQ(joins("kept:shared"), joins_shared);
  EXPECT_EQ(joins("ring:2"), joins_other);
  EXPECT_EQ(stage_->clients(), 26U);
}

TEST_P(CentrifugeHandoffBy, PingsOfTheProtocolGoOn) {
  start({"--ping-interval", "1s", "--pong-timeout", "2s"});
  CentrifugeFleet fleet;
  fleet.connect(at_stage(), 2);
  const std::size_t silent = fleet.connect([this] {
    CentrifugeOptions options = at_stage();
    options.answer_pings = false;
    return options;
  }());
  SdkDriver driver;
  // It gives up when no ping has come for so long beyond the interval.
  driver.connect("sdk", "ws://" + stage_->endpoint().text() + "/connection/websocket", false,
                 {{"maxServerPingDelay", 5000}});
  for (int i = 0; i < 2; ++i) {
    change(GetParam());
    const std::uint64_t before = fleet.client(0).pings;
    ASSERT_TRUE(fleet.run_until(20s, [&] { return fleet.client(0).pings >= before + 3; }));
    // A kill may cost the client that is being read from: its pong has been taken once what it
    // sends behind it is answered.
    (void)fleet.call(0, history("kept:shared", 1));
  }
  EXPECT_EQ(fleet.client(0).connects, 1U);
  EXPECT_EQ(fleet.client(0).state, CentrifugeMember::State::kConnected);
  for (const Json& event : driver.events()) EXPECT_NE(event["event"], "disconnected") << event;
  EXPECT_EQ(driver.call("state", "sdk")["state"], "connected");
  // Who answers nothing is found out all the same.
  ASSERT_TRUE(fleet.run_until(
      20s, [&] { return fleet.client(silent).state == CentrifugeMember::State::kEnded; }));
  EXPECT_EQ(fleet.client(silent).close_code, 3012);
}

TEST_P(CentrifugeHandoffBy, WhoTheyAreIsCarried) {
  start();
  CentrifugeFleet fleet(2);
  CentrifugeOptions known = at_stage();
  known.token = token({"--user", "42", "--info", R"({"name":"Ada"})", "--expires", "1h"});
  const std::size_t lasting = fleet.connect(known);
  known.token = token({"--user", "43", "--expires", "2s", "--subscribe", "kept:server"});
  const std::size_t ending = fleet.connect(known);
  known.token = token({"--user", "44", "--expires", "2s"});
  const std::size_t refreshed = fleet.connect(known);
  CentrifugeOptions watches = at_beside();
  watches.keep_pushes = true;
  const std::size_t watcher = fleet.connect(watches);
  fleet.subscribe(watcher, "kept:a", {.recoverable = true});
  ASSERT_TRUE(fleet.run_until(10s, [&] { return fleet.all_subscribed(0, fleet.size()); }));

  change(GetParam());
  ASSERT_FALSE(fleet.publish(lasting, "kept:a", numbered_data(1)).has_error());
  ASSERT_TRUE(fleet.run_until(10s, [&] { return fleet.all_reached("kept:a", 1); }));
  const centrifuge::ClientInfo& who = fleet.client(watcher).pushes.back().pub().info();
  EXPECT_EQ(who.user(), "42");
  EXPECT_EQ(who.client(), fleet.client(lasting).client);
  EXPECT_EQ(who.conn_info(), R"({"name":"Ada"})");
  // A subscription that its token has made goes on.
  ASSERT_FALSE(fleet.publish(watcher, "kept:server", numbered_data(1)).has_error());
  ASSERT_TRUE(fleet.run_until(10s, [&] { return fleet.all_reached("kept:server", 1); }));

  centrifuge::Command refresh;
  refresh.mutable_refresh()->set_token(token({"--user", "44", "--expires", "1h"}));
  const centrifuge::Reply reply = fleet.call(refreshed, refresh);
  EXPECT_FALSE(reply.has_error()) << reply.error().message();
  EXPECT_TRUE(reply.refresh().expires());
  // Of another user it is none.
  refresh.mutable_refresh()->set_token(token({"--user", "1", "--expires", "1h"}));
  CentrifugeOptions other = at_stage();
  other.token = token({"--user", "45", "--expires", "1h"});
  const std::size_t forged = fleet.connect(other);
  change(GetParam());
  fleet.send(forged, refresh);
  ASSERT_TRUE(fleet.run_until(
      10s, [&] { return fleet.client(forged).state == CentrifugeMember::State::kEnded; }));
  EXPECT_EQ(fleet.client(forged).close_code, 3500);
  // The token's end, and 25 s in which it could have been refreshed: once is enough.
  if (GetParam() == Change::kKill) {
    ASSERT_TRUE(fleet.run_until(
        60s, [&] { return fleet.client(ending).state == CentrifugeMember::State::kEnded; }));
    EXPECT_EQ(fleet.client(ending).close_code, 3005);
  }
  EXPECT_FALSE(fleet.call(refreshed, history("kept:a", 0)).has_error());
  EXPECT_EQ(fleet.client(lasting).connects, 1U);
}

/// The next frame that is no ping. Pings are rare, but after a change the first comes at any time.
std::string next_replies(WsClient& client) {
  for (;;) {
    std::string frame = client.text(20s);
    if (frame != "{}") return frame;
    client.send_text("{}");
  }
}

/// A reply that a slow reader has in part.
TEST_P(CentrifugeHandoffBy, HalfSentRepliesAreFinished) {
  start();
  CentrifugeFleet fleet;
  const std::size_t speaker = fleet.connect(at_beside());
  constexpr int kPublications = 40;
  constexpr std::size_t kFill = 8000;
  for (int i = 1; i <= kPublications; ++i)
    ASSERT_FALSE(
        fleet.publish(speaker, "kept:large", numbered_data(static_cast<std::uint64_t>(i), kFill))
            .has_error());
  UpgradeRequest request;
  request.path = "/connection/websocket";
  std::vector<WsClient> slow;
  for (int i = 0; i < 3; ++i) {
    slow.push_back(WsClient::dial(stage_->endpoint(), request, 4096));
    slow.back().send_text(R"({"id":1,"connect":{}})");
    EXPECT_NE(slow.back().text().find(R"("connect")"), std::string::npos);
  }
  const auto waiting = [&] { return stage_->metrics().value("sluice_gateway_client_queue_bytes"); };
  // Until the kernel takes no more of it.
  std::vector<int> last(slow.size(), 1);
  double asked = 0;
  for (std::size_t i = 0; i < slow.size(); ++i) {
    const double before = waiting();
    while (waiting() <= before) {
      slow[i].send_text(R"({"id":)" + std::to_string(++last[i]) +
                        R"(,"history":{"channel":"kept:large","limit":)" +
                        std::to_string(kPublications) + "}}");
      ++asked;
      // One at a time: more than one answer that the kernel does not take is more than may wait.
      ASSERT_TRUE(eventually(20s, [&] {
        const Metrics metrics = stage_->metrics();
        return metrics.value("sluice_gateway_relay_requests_total", R"(kind="history")") >= asked &&
               metrics.value("sluice_gateway_relay_requests_pending") == 0;
      }));
    }
  }
  for (int i = 0; i < 2; ++i) change(GetParam());
  for (std::size_t i = 0; i < slow.size(); ++i) {
    for (int id = 2; id <= last[i];) {
      const std::string frame = next_replies(slow[i]);
      for (const centrifuge::Reply& reply : read_replies(CentrifugeEncoding::kJson, frame)) {
        EXPECT_EQ(reply.id(), static_cast<std::uint32_t>(id++));
        EXPECT_EQ(reply.history().publications_size(), kPublications);
      }
    }
    // And it can ask on.
    slow[i].send_text(R"({"id":9999,"history":{"channel":"kept:large"}})");
    const std::string next = next_replies(slow[i]);
    EXPECT_NE(next.find(R"("id":9999)"), std::string::npos) << "instead: " << next.substr(0, 200);
  }
}

/// Asked before, answered after. Not by `sluice upgrade`, which asks the relay: that one is stopped
/// meanwhile.
class CentrifugeCommandsBy : public CentrifugeHandoffBy {};

INSTANTIATE_TEST_SUITE_P(All, CentrifugeCommandsBy, testing::Values(Change::kPark, Change::kKill),
                         [](const auto& each) { return name_of(each.param); });

TEST_P(CentrifugeCommandsBy, CommandsUnderWayAreAnswered) {
  HookServer hooks;
  hooks.on("/rpc", [](const HookQuestion&) { return HookReply{.hold = true}; });
  start({"--hook-rpc", hooks.url("/rpc"), "--hook-timeout", "60s"});
  CentrifugeFleet fleet;
  const std::size_t asks = fleet.connect(at_stage());
  const std::size_t joins = fleet.connect(at_stage());
  const std::size_t publishes = fleet.connect(at_stage());
  const std::size_t speaker = fleet.connect(at_beside());
  ASSERT_FALSE(fleet.publish(speaker, "kept:under-way", numbered_data(1)).has_error());

  centrifuge::Command rpc;
  rpc.mutable_rpc()->set_method("slow");
  rpc.mutable_rpc()->set_data("{}");
  fleet.keep(asks, fleet.send(asks, rpc));
  fleet.run_until(10s, [&] { return hooks.wait_questions(1, 10ms); });
  ASSERT_TRUE(hooks.wait_questions(1, 10s));
  // Behind it, in its line.
  const std::uint32_t behind = fleet.send(asks, history("kept:under-way", 10));
  fleet.keep(asks, behind);
  // The relay answers nothing of this.
  stage_->relay().process().signal(SIGSTOP);
  fleet.subscribe(joins, "kept:under-way", {.recoverable = true});
  const std::uint32_t asked = fleet.send(joins, history("kept:under-way", 10));
  fleet.keep(joins, asked);
  centrifuge::Command publish;
  publish.mutable_publish()->set_channel("kept:under-way");
  publish.mutable_publish()->set_data(numbered_data(2));
  const std::uint32_t said = fleet.send(publishes, publish);
  fleet.keep(publishes, said);
  // All of it has been read: the gateway has answered something later.
  ASSERT_TRUE(fleet.run_until(10s, [&] {
    const Metrics metrics = stage_->metrics();
    return metrics.value("sluice_gateway_joins_waiting") == 1 &&
           metrics.value("sluice_gateway_publishes_pending") == 1;
  }));
  if (GetParam() == Change::kPark) {
    stage_->gateway().signal(SIGUSR2);
    EXPECT_EQ(stage_->gateway().wait_exit().code, 0);
  } else {
    stage_->gateway().kill();
  }
  stage_->spawn();
  stage_->relay().process().signal(SIGCONT);
  stage_->wait_serving();

  const auto answered = [&] {
    return fleet.kept(asks, behind) != nullptr && fleet.kept(joins, asked) != nullptr &&
           fleet.kept(publishes, said) != nullptr && fleet.all_subscribed(0, fleet.size());
  };
  ASSERT_TRUE(fleet.run_until(20s, answered));
  // The application may have done it; nobody asks it twice.
  EXPECT_EQ(fleet.kept(asks, behind - 1)->error().code(), 100U);
  EXPECT_TRUE(fleet.kept(asks, behind - 1)->error().temporary());
  EXPECT_EQ(hooks.questions().size(), 1U);
  EXPECT_FALSE(fleet.kept(asks, behind)->has_error());
  EXPECT_GE(fleet.kept(asks, behind)->history().publications_size(), 1);
  EXPECT_FALSE(fleet.kept(joins, asked)->has_error());
  EXPECT_EQ(fleet.stream(joins, "kept:under-way").subscribed_times, 1U);
  // Whether it was published nobody knows, and it is not done twice.
  EXPECT_EQ(fleet.kept(publishes, said)->error().code(), 100U);
  const centrifuge::Reply all = fleet.call(speaker, history("kept:under-way", 10));
  EXPECT_LE(all.history().publications_size(), 2);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(fleet.client(i).connects, 1U) << i;
  // The subscription is one.
  ASSERT_FALSE(fleet.publish(speaker, "kept:under-way", "{}").has_error());
  EXPECT_TRUE(
      fleet.run_until(10s, [&] { return fleet.stream(joins, "kept:under-way").received >= 1; }));
  EXPECT_EQ(fleet.faults(), CentrifugeFaults{});
  hooks.release();
}

// ---- a gateway that dies at a chosen step

struct Step {
  const char* point;
  std::size_t closed = 0;  ///< clients
};

class CentrifugeDiesServing : public CentrifugeHandoff,
                              public testing::WithParamInterface<std::tuple<Step, const char*>> {};

TEST_P(CentrifugeDiesServing, ClientsGoOn) {
  const auto& [step, io_uring] = GetParam();
  if (std::string(io_uring) == "on" && !io_uring_allowed()) GTEST_SKIP() << "no io_uring here";
  start({"--io-uring", io_uring, "--ping-interval", "1s"}, {{"SLUICE_FAULT_POINT", step.point}});
  CentrifugeTraffic clients(traffic(6, 2));
  ASSERT_TRUE(clients.run_until(30s, [&] { return !stage_->gateway().running(); }));
  ASSERT_EQ(stage_->gateway().wait_exit().signal, SIGKILL);
  clients.meanwhile([&] { stage_->start(); });
  ASSERT_TRUE(clients.goes_on());
  EXPECT_TRUE(clients.exact());
  if (step.closed == 0) {
    EXPECT_TRUE(clients.unnoticed());
  } else {
    EXPECT_EQ(clients.reconnects(), step.closed);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CentrifugeDiesServing,
                         testing::Combine(testing::Values(Step{"send.recorded:200"},
                                                          Step{"send.sent:200"},
                                                          Step{"read.taken:60", 1}),
                                          testing::Values("on", "off")),
                         [](const auto& each) {
                           return name_of(std::string(std::get<0>(each.param).point)) +
                                  (std::string(std::get<1>(each.param)) == "on" ? "ByUring"
                                                                                : "BySend");
                         });

class CentrifugeDiesTakingOver : public CentrifugeHandoff,
                                 public testing::WithParamInterface<const char*> {};

TEST_P(CentrifugeDiesTakingOver, TheNextOneDoes) {
  start();
  CentrifugeTraffic clients(traffic(6, 2));
  ASSERT_TRUE(clients.goes_on());
  for (const int signal : {SIGUSR2, SIGKILL}) {
    stage_->gateway().signal(signal);
    ASSERT_TRUE(clients.run_until(20s, [&] { return !stage_->gateway().running(); }));
    stage_->spawn({{"SLUICE_FAULT_POINT", GetParam()}});
    ASSERT_TRUE(clients.run_until(20s, [&] { return !stage_->gateway().running(); }));
    ASSERT_EQ(stage_->gateway().wait_exit().signal, SIGKILL);
    clients.meanwhile([&] { stage_->start(); });
    ASSERT_TRUE(clients.goes_on());
  }
  EXPECT_TRUE(clients.exact());
  EXPECT_TRUE(clients.unnoticed());
}

INSTANTIATE_TEST_SUITE_P(All, CentrifugeDiesTakingOver,
                         testing::Values("takeover.half", "takeover.built", "takeover.recorded",
                                         "takeover.taken"),
                         [](const auto& each) { return name_of(std::string(each.param)); });

// ---- the relay

TEST_F(CentrifugeHandoff, TheRelayIsUpgradedUnnoticed) {
  start();
  CentrifugeTraffic clients(traffic(20, 4));
  ASSERT_TRUE(clients.goes_on());
  for (int i = 0; i < 3; ++i) {
    Process& relay = stage_->relay().process();
    const std::size_t mark = relay.mark();
    relay.signal(SIGUSR2);
    ASSERT_TRUE(clients.run_until(20s, [&] { return !relay.lines("upgraded:", mark).empty(); }));
    ASSERT_TRUE(clients.goes_on());
  }
  EXPECT_TRUE(clients.complete());
  EXPECT_TRUE(clients.unnoticed());
}

TEST_F(CentrifugeHandoff, TheRelayIsKilledAndHistoriesAreRecovered) {
  start();
  CentrifugeTraffic::Settings settings = traffic(20, 4);
  settings.others = {"kept:1", "kept:2"};
  CentrifugeTraffic clients(std::move(settings));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(clients.goes_on());
    stage_->relay().kill();
    clients.meanwhile([&] { stage_->relay().start(); });
  }
  ASSERT_TRUE(clients.goes_on());
  EXPECT_TRUE(clients.complete());
  // No connection was lost.
  EXPECT_EQ(clients.reconnects(), 0U);
  for (std::size_t i = 0; i < clients.clients(); ++i) {
    for (const auto& [name, stream] : clients.fleet().client(i).streams)
      EXPECT_EQ(stream.failed_recoveries, 0U) << name;
  }
}

/// What the ring alone had is gone with the relay: that is said, by 2500 and `recovered: false`.
TEST_F(CentrifugeHandoff, TheRelayIsKilledAndWithoutAHistoryThatIsTold) {
  start();
  CentrifugeTraffic::Settings settings = traffic(4, 2);
  settings.shared = "ring:shared";
  settings.others = {};
  CentrifugeTraffic clients(std::move(settings));
  ASSERT_TRUE(clients.goes_on());
  stage_->relay().kill();
  clients.meanwhile([&] { stage_->relay().start(); });
  ASSERT_TRUE(clients.goes_on());
  for (std::size_t i = 0; i < clients.clients(); ++i) {
    const CentrifugeStream& stream = clients.fleet().stream(i, "ring:shared");
    EXPECT_EQ(stream.unsubscribe_code, 2500U);
    EXPECT_EQ(stream.failed_recoveries, 1U);
    EXPECT_EQ(clients.fleet().client(i).connects, 1U);
  }
  std::size_t told = 0;
  for (const Json& event : clients.driver().events()) {
    if (event["event"] != "subscribed" || !event["ctx"].value("wasRecovering", false)) continue;
    EXPECT_EQ(event["ctx"]["recovered"], false);
    ++told;
  }
  EXPECT_EQ(told, 2U);
  EXPECT_EQ(clients.reconnects(), 0U);
  EXPECT_EQ(clients.fleet().faults().missing, 0U);
  EXPECT_EQ(clients.fleet().faults().repeated, 0U);
}

}  // namespace
}  // namespace sluice::test
