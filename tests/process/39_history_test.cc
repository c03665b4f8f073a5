// Channels with a history on a real redis-server: what clients see when the relay or Redis comes
// back, when a history is shorter than what was missed, and what is published beside it.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <memory>
#include <string>

#include "tests/process/support/api_host.h"
#include "tests/process/support/centrifuge_client.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/sdk_driver.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kClients = 20;
const std::string kChannel = "h:news";

class HistoryTest : public ::testing::Test {
 protected:
  ApiHost& here() {
    if (!here_) here_ = std::make_unique<ApiHost>("here", redis_.url(), access_);
    return *here_;
  }
  /// The same Redis from another host, whose ring has nothing of the channel.
  ApiHost& there() {
    if (!there_) there_ = std::make_unique<ApiHost>("there", redis_.url(), access_);
    return *there_;
  }
  static CentrifugeOptions options(const ApiHost& host, bool protobuf = false) {
    CentrifugeOptions options;
    options.to = host.gateway.endpoint();
    options.encoding = protobuf ? CentrifugeEncoding::kProtobuf : CentrifugeEncoding::kJson;
    options.keep_pushes = true;
    return options;
  }
  /// Half of them speak Protobuf.
  void connect(std::size_t count) {
    fleet_.connect(options(here()), count / 2);
    fleet_.connect(options(here(), true), count - count / 2);
    for (std::size_t i = 0; i < count; ++i) fleet_.subscribe(i, kChannel, kRecoverable);
    ASSERT_TRUE(fleet_.run_until(20s, [&] { return fleet_.all_subscribed(0, count); }));
  }
  /// The next numbered publications, by the API of a host.
  void publish(ApiHost& host, std::uint64_t count) {
    for (; count > 0; --count) {
      const Json data = Json::parse(numbered_data(++published_));
      const Json said = host.ask("publish", {{"channel", kChannel}, {"data", data}});
      ASSERT_TRUE(said.contains("result")) << said;
    }
  }
  [[nodiscard]] bool all_have_everything() {
    return fleet_.run_until(30s, [this] { return fleet_.all_reached(kChannel, published_); });
  }
  std::uint64_t sum(std::uint64_t CentrifugeStream::*what) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < fleet_.size(); ++i) sum += fleet_.stream(i, kChannel).*what;
    return sum;
  }
  /// Nothing was passed over, and nobody was told that something is lost.
  void expect_exactly_once() {
    EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
    EXPECT_EQ(sum(&CentrifugeStream::failed_recoveries), 0U);
  }
  /// Ends with its data on disk, and knows it when it starts again.
  void shut_down_redis() {
    const pid_t pid = redis_.pid();
    try {
      (void)redis_.command({"SHUTDOWN", "SAVE"});
    } catch (const HarnessError&) {  // it ends without an answer
    }
    ASSERT_TRUE(eventually(10s, [pid] { return ::kill(pid, 0) != 0 || is_zombie(pid); }));
  }
  static bool is_zombie(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string number;
    std::string name;
    std::string state;
    stat >> number >> name >> state;
    return state == "Z";
  }
  double relay_count(const std::string& name, const std::string& label = "") {
    return here().relay.metrics().value("sluice_relay_" + name, label);
  }
  const std::string& data_of_last_push(std::size_t client) const {
    return fleet_.client(client).pushes.back().pub().data();
  }
  /// Waits until the client has been told so many.
  void wait_beside(std::size_t client, std::uint64_t count) {
    ASSERT_TRUE(
        fleet_.run_until(10s, [&] { return fleet_.stream(client, kChannel).beside == count; }));
  }

  static constexpr CentrifugeSubscribe kRecoverable{.positioned = true, .recoverable = true};
  TempDir directory_;
  RedisServer redis_{directory_};
  std::string rules_ = directory_.write("rules.toml",
                                        "[connection]\nanonymous = true\n"
                                        "[channels]\nsubscribe = \"everyone\"\n"
                                        "publish = \"everyone\"\n"
                                        "[namespaces.h]\nsubscribe = \"everyone\"\n"
                                        "publish = \"everyone\"\nhistory = \"everyone\"\n"
                                        "history_size = 50\nhistory_ttl = \"1m\"\n"
                                        "recovery = \"on-demand\"\n"
                                        "[namespaces.short]\nsubscribe = \"everyone\"\n"
                                        "history_size = 3\nhistory_ttl = \"20s\"\n");
  Args access_{"--rules", rules_};
  std::unique_ptr<ApiHost> here_;
  std::unique_ptr<ApiHost> there_;
  CentrifugeFleet fleet_;
  std::uint64_t published_ = 0;
};

// ---- the relay comes back

TEST_F(HistoryTest, ARelayThatIsKilledLosesNothing) {
  connect(kClients);
  publish(here(), 5);
  ASSERT_TRUE(all_have_everything());
  for (int round = 0; round < 3; ++round) {
    here().relay.kill();
    publish(there(), 7);
    here().relay.start();
    publish(there(), 3);
    ASSERT_TRUE(all_have_everything()) << "round " << round;
  }
  publish(here(), 1);
  ASSERT_TRUE(all_have_everything());
  expect_exactly_once();
  EXPECT_GE(sum(&CentrifugeStream::recovered_times), kClients) << "by recovering what was missed";
  // The stream is the same for all, and so is its epoch.
  EXPECT_EQ(fleet_.stream(0, kChannel).offset, published_);
  EXPECT_EQ(fleet_.stream(0, kChannel).epoch, fleet_.stream(kClients - 1, kChannel).epoch);
}

TEST_F(HistoryTest, ARelayThatIsUpgradedInPlaceLosesNothingAndReadsNothing) {
  connect(kClients);
  for (int round = 0; round < 3; ++round) {
    Process& relay = here().relay.process();
    const std::size_t mark = relay.mark();
    relay.signal(SIGUSR2);
    publish(there(), 10);
    ASSERT_EQ(redis_.command({"PUBLISH", kChannel, "\"aside\""}), "1");
    ASSERT_TRUE(fleet_.run_until(20s, [&] { return !relay.lines("upgraded:", mark).empty(); }));
    publish(here(), 2);
    ASSERT_TRUE(all_have_everything());
    for (std::size_t i = 0; i < kClients; ++i)
      wait_beside(i, static_cast<std::uint64_t>(round) + 1);
  }
  expect_exactly_once();
  EXPECT_EQ(sum(&CentrifugeStream::subscribed_times), kClients) << "nobody had to come back";
  EXPECT_EQ(relay_count("history_broker_queries_total"), 0);
  EXPECT_EQ(relay_count("broker_losses_total"), 0);
}

TEST_F(HistoryTest, WhoComesBackToItsHostIsServedFromItsRing) {
  connect(kClients);
  publish(here(), 5);
  ASSERT_TRUE(all_have_everything());
  for (std::size_t i = 0; i < kClients; ++i) fleet_.cut(i);
  publish(here(), 5);
  ASSERT_TRUE(fleet_.run_until(30s, [this] { return fleet_.all_connected(); }));
  ASSERT_TRUE(all_have_everything());
  expect_exactly_once();
  EXPECT_EQ(sum(&CentrifugeStream::recovered_times), kClients);
  EXPECT_EQ(relay_count("history_broker_queries_total"), 0);
}

// ---- Redis comes back

TEST_F(HistoryTest, ARedisThatKeepsItsDataIsNotNoticed) {
  connect(kClients);
  publish(here(), 5);
  ASSERT_TRUE(all_have_everything());
  const std::string epoch = fleet_.stream(0, kChannel).epoch;
  shut_down_redis();
  ASSERT_TRUE(eventually(10s, [this] { return relay_count("broker_connected") == 0; }));
  redis_.start();
  ASSERT_TRUE(eventually(30s, [this] { return relay_count("broker_connected") == 1; }));
  publish(here(), 5);
  ASSERT_TRUE(all_have_everything());
  expect_exactly_once();
  EXPECT_EQ(fleet_.stream(0, kChannel).epoch, epoch);
  EXPECT_EQ(sum(&CentrifugeStream::subscribed_times), kClients) << "nobody had to come back";
}

TEST_F(HistoryTest, ARedisThatHasLostItsDataBeginsAnotherEpoch) {
  connect(kClients);
  publish(here(), 5);
  ASSERT_TRUE(all_have_everything());
  const std::string epoch = fleet_.stream(0, kChannel).epoch;
  redis_.kill();
  redis_.start();
  ASSERT_TRUE(fleet_.run_until(30s, [this] {
    return sum(&CentrifugeStream::failed_recoveries) == kClients;
  })) << "each is told that what it missed can't be had";
  publish(here(), 3);
  ASSERT_TRUE(all_have_everything());
  EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
  for (std::size_t i = 0; i < kClients; ++i) {
    EXPECT_NE(fleet_.stream(i, kChannel).epoch, epoch);
    EXPECT_EQ(fleet_.stream(i, kChannel).offset, 3U);
  }
}

// ---- what a history holds

TEST_F(HistoryTest, AsMuchAsItHoldsIsRecoveredOnAnotherHost) {
  connect(2);
  publish(here(), 1);
  ASSERT_TRUE(all_have_everything());
  fleet_.set_endpoint(0, there().gateway.endpoint());
  fleet_.set_endpoint(1, there().gateway.endpoint());
  here().gateway.kill();
  publish(there(), 50);
  ASSERT_TRUE(all_have_everything());
  expect_exactly_once();
  EXPECT_EQ(sum(&CentrifugeStream::recovered_times), 2U);
}

TEST_F(HistoryTest, OneMoreThanItHoldsIsToldAsMissing) {
  connect(2);
  publish(here(), 1);
  ASSERT_TRUE(all_have_everything());
  here().gateway.kill();
  ASSERT_TRUE(fleet_.run_until(10s, [this] { return !fleet_.all_connected(); }));
  publish(there(), 51);
  fleet_.set_endpoint(0, there().gateway.endpoint());
  fleet_.set_endpoint(1, there().gateway.endpoint());
  ASSERT_TRUE(
      fleet_.run_until(30s, [this] { return sum(&CentrifugeStream::failed_recoveries) == 2U; }));
  EXPECT_EQ(sum(&CentrifugeStream::recovered_times), 0U);
  EXPECT_EQ(fleet_.stream(0, kChannel).offset, published_) << "where the stream stands";
  publish(there(), 2);
  ASSERT_TRUE(all_have_everything());
  EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
}

TEST_F(HistoryTest, ARemovedHistoryIsAnotherEpochForThoseWhoListen) {
  connect(kClients);
  publish(here(), 5);
  ASSERT_TRUE(all_have_everything());
  const std::string epoch = fleet_.stream(0, kChannel).epoch;
  EXPECT_TRUE(there().ask("history_remove", {{"channel", kChannel}}).contains("result"));
  // Nobody is told before something is published: it is that which has no place in the old one.
  publish(there(), 1);
  ASSERT_TRUE(fleet_.run_until(30s, [this, &epoch] {
    for (std::size_t i = 0; i < kClients; ++i) {
      if (fleet_.stream(i, kChannel).epoch == epoch) return false;
    }
    return fleet_.all_subscribed(0, kClients);
  }));
  EXPECT_EQ(sum(&CentrifugeStream::failed_recoveries), kClients);
  publish(here(), 2);
  ASSERT_TRUE(all_have_everything());
  EXPECT_EQ(fleet_.stream(0, kChannel).offset, 3U);
  EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
}

TEST_F(HistoryTest, SizeAndAgeAreTheRules) {
  for (int i = 1; i <= 10; ++i) {
    for (const char* channel : {"h:a", "short:a", "none"})
      (void)here().ask("publish", {{"channel", channel}, {"data", i}});
  }
  const auto kept = [this](const std::string& channel) {
    return here().ask("history", {{"channel", channel}, {"limit", -1}})["result"];
  };
  EXPECT_EQ(kept("h:a")["publications"].size(), 10U);
  const Json few = kept("short:a");
  ASSERT_EQ(few["publications"].size(), 3U) << few;
  EXPECT_EQ(few["publications"][0]["offset"], 8);
  EXPECT_EQ(few["offset"], 10);
  EXPECT_TRUE(kept("none")["publications"].empty());
  const auto ttl = [this](const std::string& channel) {
    return std::stoi(redis_.command({"TTL", "sluice:{" + channel + "}:stream"}));
  };
  EXPECT_LE(ttl("short:a"), 20);
  EXPECT_LE(ttl("h:a"), 60);
  EXPECT_EQ(redis_.command({"EXISTS", "sluice:{none}:stream"}), "0");
  // The stream expires, the position does not.
  (void)redis_.command({"DEL", "sluice:{short:a}:stream"});
  const Json none = kept("short:a");
  EXPECT_TRUE(none["publications"].empty());
  EXPECT_EQ(none["offset"], 10);
  EXPECT_EQ(none["epoch"], few["epoch"]);
}

// ---- beside the history

TEST_F(HistoryTest, WhatAnyRedisClientPublishesIsHeardWithOrWithoutAHistory) {
  access_ = {"--open-access"};
  const CentrifugeSubscribe positioned = kRecoverable;
  fleet_.connect(options(here()));
  fleet_.connect(options(here(), true));
  for (std::size_t i = 0; i < 2; ++i) fleet_.subscribe(i, kChannel, positioned);
  ASSERT_TRUE(fleet_.run_until(10s, [this] { return fleet_.all_subscribed(0, 2); }));
  WsClient plain = WsClient::connect(here().gateway.endpoint(), "/channel/" + kChannel);
  publish(here(), 1);
  EXPECT_EQ(plain.text(), numbered_data(1));
  ASSERT_TRUE(all_have_everything());
  EXPECT_EQ(redis_.command({"PUBLISH", kChannel, "{\"raw\":1}"}), "1");
  for (std::size_t i = 0; i < 2; ++i) {
    wait_beside(i, 1);
    EXPECT_EQ(data_of_last_push(i), "{\"raw\":1}");
    EXPECT_EQ(fleet_.client(i).pushes.back().pub().offset(), 0U);
  }
  EXPECT_EQ(plain.text(), "{\"raw\":1}");
  EXPECT_EQ(redis_.command({"PUBLISH", kChannel, "any bytes"}), "1");
  wait_beside(1, 2);
  EXPECT_EQ(data_of_last_push(1), "any bytes");
  EXPECT_EQ(plain.text(), "any bytes");
  // The stream goes on where it was, live and for who comes back.
  publish(here(), 1);
  ASSERT_TRUE(all_have_everything());
  fleet_.cut(0);
  publish(here(), 1);
  EXPECT_EQ(redis_.command({"PUBLISH", kChannel, "\"missed\""}), "1");
  ASSERT_TRUE(all_have_everything());
  EXPECT_EQ(fleet_.stream(0, kChannel).recovered_times, 1U);
  expect_exactly_once();
  EXPECT_EQ(here()
                .ask("history", {{"channel", kChannel}, {"limit", -1}})["result"]["publications"]
                .size(),
            3U);
}

TEST_F(HistoryTest, TheOfficialSdkKeepsItsPlaceOverARawMessage) {
  access_ = {"--open-access"};
  SdkDriver sdk;
  const std::string url = "ws://" + here().gateway.endpoint().text() + "/connection/websocket";
  for (const bool protobuf : {false, true}) {
    const std::string client = protobuf ? "protobuf" : "json";
    sdk.connect(client, url, protobuf);
    (void)sdk.subscribe(client, kChannel, {{"recoverable", true}, {"positioned", true}});
    publish(here(), 1);
    EXPECT_EQ(sdk.wait_event(client, "publication", kChannel)["ctx"]["offset"], published_);
    EXPECT_GE(std::stoi(redis_.command({"PUBLISH", kChannel, "{\"raw\":1}"})), 1);
    const Json raw = sdk.wait_event(client, "publication", kChannel);
    EXPECT_EQ(raw["ctx"]["data"], Json::parse(R"({"raw":1})"));
    EXPECT_FALSE(raw["ctx"].contains("offset")) << raw;
    (void)sdk.call("cut", client);
    publish(here(), 1);
    EXPECT_TRUE(sdk.wait_event(client, "subscribed", kChannel)["ctx"]["recovered"].get<bool>());
    const Json next = sdk.wait_event(client, "publication", kChannel);
    EXPECT_EQ(next["ctx"]["offset"], published_) << next;
  }
  const Json stats = sdk.stats();
  EXPECT_EQ(stats["missing"], 0) << stats;
  EXPECT_EQ(stats["repeated"], 0) << stats;
}

TEST_F(HistoryTest, ByTheRulesARawMessageOfAChannelWithoutHistoryHasAPosition) {
  fleet_.connect(options(here()));
  fleet_.subscribe(0, "none");
  ASSERT_TRUE(fleet_.run_until(10s, [this] { return fleet_.all_subscribed(0, 1); }));
  EXPECT_EQ(redis_.command({"PUBLISH", "none", numbered_data(1)}), "1");
  EXPECT_EQ(redis_.command({"PUBLISH", "none", numbered_data(2)}), "1");
  ASSERT_TRUE(fleet_.run_until(10s, [this] { return fleet_.all_reached("none", 2); }));
  EXPECT_EQ(fleet_.client(0).pushes.back().pub().offset(), 2U);
  EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
}

TEST_F(HistoryTest, SkippingTheHistoryIsHeardOnEveryHostAndKeptNowhere) {
  connect(2);
  fleet_.connect(options(there()));
  fleet_.subscribe(2, kChannel, kRecoverable);
  ASSERT_TRUE(fleet_.run_until(10s, [this] { return fleet_.all_subscribed(0, 3); }));
  publish(here(), 2);
  const Json said = here().ask(
      "publish",
      {{"channel", kChannel}, {"data", "aside"}, {"skip_history", true}, {"tags", {{"n", "x"}}}});
  ASSERT_TRUE(said.contains("result")) << said;
  for (std::size_t i = 0; i < 3; ++i) {
    wait_beside(i, 1);
    EXPECT_EQ(data_of_last_push(i), "\"aside\"");
    EXPECT_EQ(fleet_.client(i).pushes.back().pub().tags().at("n"), "x");
  }
  publish(there(), 1);
  ASSERT_TRUE(all_have_everything());
  expect_exactly_once();
  EXPECT_EQ(there()
                .ask("history", {{"channel", kChannel}, {"limit", -1}})["result"]["publications"]
                .size(),
            3U);
}

}  // namespace
}  // namespace sluice::test
