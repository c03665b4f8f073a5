// Clients of the Centrifuge protocol on two hosts (a relay, a gateway and a ring each) that share
// one real Redis: what one host does is seen on the other, and who changes hosts is told the truth.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "tests/process/support/api_host.h"
#include "tests/process/support/centrifuge_client.h"
#include "tests/process/support/redis_server.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;
using centrifuge::Command;

constexpr std::size_t kPerHost = 10;
constexpr CentrifugeSubscribe kRecoverable{.positioned = true, .recoverable = true};
const std::string kKept = "kept:news";    // has a history
const std::string kLoose = "loose:news";  // has none

const std::string kRules = R"([channels]
subscribe = "users"
publish = "subscribers"
presence = "subscribers"
recovery = "on-demand"
join_leave = "on-demand"
[namespaces.kept]
subscribe = "users"
publish = "subscribers"
presence = "subscribers"
history = "subscribers"
history_size = 100
history_ttl = "1m"
recovery = "on-demand"
join_leave = "on-demand"
[namespaces.loose]
subscribe = "users"
publish = "subscribers"
recovery = "on-demand"
)";

class TwoHosts : public ::testing::Test {
 protected:
  CentrifugeOptions options(const ApiHost& host, const std::string& user) const {
    CentrifugeOptions options;
    options.to = host.gateway.endpoint();
    options.token = token(user);
    options.keep_pushes = true;
    // By turns.
    if (fleet_.size() % 2 == 1) options.encoding = CentrifugeEncoding::kProtobuf;
    return options;
  }
  std::string token(const std::string& user) const {
    SpawnOptions make;
    make.args = {tool_program(), "token", "make",      "--key-file", keys_,
                 "--user",       user,    "--expires", "never"};
    const Finished made = run(std::move(make));
    EXPECT_EQ(made.status.code, 0) << made.output;
    std::istringstream words(made.output);
    std::string text;
    words >> text;
    return text;
  }
  std::size_t connect(ApiHost& host, const std::string& user, const std::string& channel,
                      const CentrifugeSubscribe& subscribe = kRecoverable) {
    const std::size_t client = fleet_.connect(options(host, user));
    fleet_.subscribe(client, channel, subscribe);
    EXPECT_TRUE(fleet_.run_until(20s, [&] { return fleet_.all_subscribed(client, client + 1); }));
    EXPECT_EQ(fleet_.stream(client, channel).error.code(), 0U);
    return client;
  }
  /// Some on each host.
  void connect_all(const std::string& channel) {
    for (std::size_t i = 0; i < kPerHost; ++i) {
      connect(one_, "u1", channel);
      connect(two_, "u" + std::to_string(2 + i), channel);
    }
  }
  void publish(ApiHost& host, const std::string& channel) {
    const Json data = Json::parse(numbered_data(++published_));
    const Json said = host.ask("publish", {{"channel", channel}, {"data", data}});
    ASSERT_TRUE(said.contains("result")) << said;
    position_ = said["result"];
  }
  [[nodiscard]] bool all_have_everything(const std::string& channel) {
    return fleet_.run_until(30s, [&] { return fleet_.all_reached(channel, published_); });
  }
  std::set<std::string> clients_of(ApiHost& host, const std::string& channel) {
    std::set<std::string> clients;
    const Json said = host.ask("presence", {{"channel", channel}});
    for (const auto& [client, info] : said["result"]["presence"].items()) clients.insert(client);
    return clients;
  }
  void wait_present(const std::string& channel, const std::set<std::string>& clients) {
    EXPECT_TRUE(fleet_.run_until(20s,
                                 [&] {
                                   return clients_of(one_, channel) == clients &&
                                          clients_of(two_, channel) == clients;
                                 }))
        << Json(clients_of(one_, channel)) << " and " << Json(clients_of(two_, channel));
  }
  /// The gateway's host is gone, the client comes to another.
  void move(std::size_t client, const ApiHost& to) {
    fleet_.set_endpoint(client, to.gateway.endpoint());
    const std::uint64_t connects = fleet_.client(client).connects;
    fleet_.cut(client);
    ASSERT_TRUE(fleet_.run_until(20s, [&] {
      return fleet_.client(client).connects > connects && fleet_.all_subscribed(client, client + 1);
    }));
  }

  TempDir directory_;
  RedisServer redis_{directory_};
  std::string rules_ = directory_.write("rules.toml", kRules);
  std::string keys_ = directory_.write("keys", "HS256 0123456789abcdef0123456789abcdef\n");
  ApiHost one_{"one", redis_.url(), {"--rules", rules_}, {"--token-key-file", keys_}};
  ApiHost two_{"two", redis_.url(), {"--rules", rules_}, {"--token-key-file", keys_}};
  CentrifugeFleet fleet_;
  std::uint64_t published_ = 0;
  Json position_;  ///< of the last, as the API has it
};

TEST_F(TwoHosts, PublicationsHaveOnePositionOnBoth) {
  connect_all(kKept);
  for (int i = 0; i < 10; ++i) {
    publish(one_, kKept);
    publish(two_, kKept);
    // A client's own.
    Command command;
    command.mutable_publish()->set_channel(kKept);
    command.mutable_publish()->set_data(numbered_data(++published_));
    EXPECT_FALSE(fleet_.call(static_cast<std::size_t>(i), command).has_error());
  }
  ASSERT_TRUE(all_have_everything(kKept));
  EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
  const auto& first = fleet_.client(0).pushes;
  ASSERT_EQ(first.size(), published_);
  for (std::size_t client = 0; client < fleet_.size(); ++client) {
    EXPECT_EQ(fleet_.stream(client, kKept).epoch, fleet_.stream(0, kKept).epoch);
    EXPECT_EQ(fleet_.stream(client, kKept).offset, published_);
    const auto& pushes = fleet_.client(client).pushes;
    ASSERT_EQ(pushes.size(), published_);
    for (std::size_t i = 0; i < published_; ++i) {
      EXPECT_EQ(pushes[i].pub().offset(), first[i].pub().offset());
      EXPECT_EQ(pushes[i].pub().data(), first[i].pub().data());
    }
  }
  EXPECT_EQ(fleet_.stream(0, kKept).epoch, position_["epoch"]);
}

TEST_F(TwoHosts, WhoComesToAnotherHostRecoversWhereThereIsAHistory) {
  connect_all(kKept);
  publish(one_, kKept);
  ASSERT_TRUE(all_have_everything(kKept));
  const std::size_t moved = 0;
  fleet_.set_endpoint(moved, two_.gateway.endpoint());
  fleet_.cut(moved);
  for (int i = 0; i < 5; ++i) publish(i % 2 == 0 ? one_ : two_, kKept);
  ASSERT_TRUE(all_have_everything(kKept));
  EXPECT_EQ(fleet_.stream(moved, kKept).recovered_times, 1U);
  // To a host where nobody else is, so its ring has nothing, and back again.
  two_.gateway.kill();
  for (std::size_t i = 0; i < fleet_.size(); ++i) fleet_.set_endpoint(i, one_.gateway.endpoint());
  for (int i = 0; i < 5; ++i) publish(i % 2 == 0 ? one_ : two_, kKept);
  ASSERT_TRUE(all_have_everything(kKept));
  EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
  for (std::size_t i = 0; i < fleet_.size(); ++i)
    EXPECT_EQ(fleet_.stream(i, kKept).failed_recoveries, 0U);
}

TEST_F(TwoHosts, AHostWhoseRingIsEmptyReadsTheHistory) {
  const std::size_t client = connect(one_, "u", kKept);
  publish(one_, kKept);
  ASSERT_TRUE(all_have_everything(kKept));
  one_.gateway.kill();
  for (int i = 0; i < 5; ++i) publish(one_, kKept);
  fleet_.set_endpoint(client, two_.gateway.endpoint());
  ASSERT_TRUE(all_have_everything(kKept));
  EXPECT_EQ(fleet_.stream(client, kKept).recovered_times, 1U);
  EXPECT_EQ(fleet_.stream(client, kKept).offset, published_);
  EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
  EXPECT_GE(two_.relay.metrics().value("sluice_relay_history_broker_queries_total"), 1);
}

TEST_F(TwoHosts, WithoutAHistoryAnotherHostSaysThatItCouldNotRecover) {
  const std::size_t client = connect(one_, "u", kLoose);
  const std::size_t witness = connect(two_, "w", kLoose);
  for (int i = 0; i < 3; ++i) publish(one_, kLoose);
  ASSERT_TRUE(all_have_everything(kLoose));
  const std::string epoch = fleet_.stream(client, kLoose).epoch;
  // A stream of its own on each host: the same offset is another position.
  EXPECT_EQ(fleet_.stream(client, kLoose).offset, fleet_.stream(witness, kLoose).offset);
  EXPECT_NE(epoch, fleet_.stream(witness, kLoose).epoch);
  move(client, two_);
  EXPECT_EQ(fleet_.stream(client, kLoose).failed_recoveries, 1U);
  EXPECT_EQ(fleet_.stream(client, kLoose).recovered_times, 0U);
  EXPECT_EQ(fleet_.stream(client, kLoose).epoch, fleet_.stream(witness, kLoose).epoch);
  publish(one_, kLoose);
  ASSERT_TRUE(all_have_everything(kLoose));
  // Back where it was at first it is not served from that host's positions either.
  move(client, one_);
  EXPECT_EQ(fleet_.stream(client, kLoose).failed_recoveries, 2U);
  EXPECT_EQ(fleet_.stream(client, kLoose).epoch, epoch);
  publish(two_, kLoose);
  ASSERT_TRUE(all_have_everything(kLoose));
  // On its host it recovers.
  fleet_.cut(client);
  publish(two_, kLoose);
  ASSERT_TRUE(all_have_everything(kLoose));
  EXPECT_EQ(fleet_.stream(client, kLoose).recovered_times, 1U);
  EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
}

TEST_F(TwoHosts, PresenceIsOneOnBoth) {
  const std::size_t a = connect(one_, "ann", kKept);
  const std::size_t b = connect(two_, "bob", kKept);
  const std::size_t c = connect(two_, "ann", kKept);
  const auto id = [this](std::size_t client) { return fleet_.client(client).client; };
  wait_present(kKept, {id(a), id(b), id(c)});
  for (const std::size_t client : {a, b}) {
    Command ask;
    ask.mutable_presence()->set_channel(kKept);
    const auto people = fleet_.call(client, ask).presence().presence();
    ASSERT_EQ(people.size(), 3U);
    EXPECT_EQ(people.at(id(a)).user(), "ann");
    EXPECT_EQ(people.at(id(b)).user(), "bob");
    Command counts;
    counts.mutable_presence_stats()->set_channel(kKept);
    const auto stats = fleet_.call(client, counts).presence_stats();
    EXPECT_EQ(stats.num_clients(), 3U);
    EXPECT_EQ(stats.num_users(), 2U);
  }
  for (ApiHost* host : {&one_, &two_}) {
    EXPECT_EQ(host->ask("presence_stats", {{"channel", kKept}})["result"],
              Json::parse(R"({"num_clients":3,"num_users":2})"));
  }
  fleet_.disconnect(b);
  wait_present(kKept, {id(a), id(c)});
}

TEST_F(TwoHosts, JoinsAndLeavesAreHeardOnTheOtherHost) {
  CentrifugeSubscribe subscribe = kRecoverable;
  subscribe.join_leave = true;
  const std::size_t a = connect(one_, "ann", kKept, subscribe);
  const std::uint64_t own = 1;  // who asks for joins is told its own
  ASSERT_TRUE(fleet_.run_until(10s, [&] { return fleet_.stream(a, kKept).joins == own; }));
  const std::size_t b = connect(two_, "bob", kKept, subscribe);
  ASSERT_TRUE(fleet_.run_until(10s, [&] { return fleet_.stream(a, kKept).joins == own + 1; }));
  EXPECT_EQ(fleet_.client(a).pushes.back().join().info().user(), "bob");
  EXPECT_EQ(fleet_.client(a).pushes.back().join().info().client(), fleet_.client(b).client);
  fleet_.unsubscribe(b, kKept);
  ASSERT_TRUE(fleet_.run_until(10s, [&] { return fleet_.stream(a, kKept).leaves == 1; }));
  EXPECT_EQ(fleet_.client(a).pushes.back().leave().info().client(), fleet_.client(b).client);
  // They are none of the channel's publications.
  publish(two_, kKept);
  ASSERT_TRUE(
      fleet_.run_until(10s, [&] { return fleet_.stream(a, kKept).last_number == published_; }));
  EXPECT_EQ(fleet_.stream(a, kKept).offset, 1U);
  EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
}

TEST_F(TwoHosts, DisconnectedByTheApiOfEitherHost) {
  const std::size_t a = connect(one_, "ann", kKept);
  const std::size_t b = connect(two_, "ann", kKept);
  const std::size_t other = connect(two_, "bob", kKept);
  EXPECT_TRUE(one_.ask("disconnect", {{"user", "ann"}}).contains("result"));
  for (const std::size_t client : {a, b}) {
    EXPECT_TRUE(fleet_.run_until(
        10s, [&] { return fleet_.client(client).state == CentrifugeMember::State::kEnded; }));
    EXPECT_EQ(fleet_.client(client).close_code, 3503);
  }
  EXPECT_EQ(fleet_.client(other).state, CentrifugeMember::State::kConnected);
  wait_present(kKept, {fleet_.client(other).client});
  // One client, by its id, at the other host's API.
  EXPECT_TRUE(one_.ask("disconnect", {{"user", "bob"},
                                      {"client", fleet_.client(other).client},
                                      {"disconnect", {{"code", 4500}, {"reason", "go"}}}})
                  .contains("result"));
  EXPECT_TRUE(fleet_.run_until(
      10s, [&] { return fleet_.client(other).state == CentrifugeMember::State::kEnded; }));
  EXPECT_EQ(fleet_.client(other).close_code, 4500);
  EXPECT_EQ(fleet_.client(other).close_reason, "go");
}

TEST_F(TwoHosts, TheApiShowsBothHostsClients) {
  connect(one_, "ann", kKept);
  connect(two_, "ann", kKept);
  connect(two_, "bob", kLoose);
  // Gateways tell once a second, relays every three.
  for (ApiHost* host : {&one_, &two_}) {
    EXPECT_TRUE(fleet_.run_until(20s, [host] {
      int clients = 0;
      int users = 0;
      const Json said = host->ask("info");
      for (const Json& node : said["result"]["nodes"]) {
        clients += node["num_clients"].get<int>();
        users += node["num_users"].get<int>();
      }
      return said["result"]["nodes"].size() == 2 && clients == 3 && users == 3;
    })) << host->ask("info");
    EXPECT_EQ(host->ask("channels")["result"]["channels"],
              Json::parse(R"({"kept:news":{"num_clients":2},"loose:news":{"num_clients":1}})"));
  }
}

/// The expiry is moved to where it would be when nobody has refreshed for so long;
/// SLUICE_TEST_FULL=1 waits for it.
TEST_F(TwoHosts, WhoWasThereByAHostThatDiesIsForgotten) {
  const std::size_t a = connect(one_, "ann", kKept);
  const std::size_t b = connect(two_, "bob", kKept);
  const std::string gone = fleet_.client(a).client;
  const std::string stays = fleet_.client(b).client;
  wait_present(kKept, {gone, stays});
  one_.relay.kill();
  one_.gateway.kill();
  EXPECT_EQ(clients_of(two_, kKept), (std::set<std::string>{gone, stays}))
      << "nobody has said that it is gone";
  if (std::getenv("SLUICE_TEST_FULL") == nullptr) {
    EXPECT_EQ(redis_.command({"ZINCRBY", "sluice:{" + kKept + "}:presence-expiry", "-60000", gone})
                  .empty(),
              false);
  }
  EXPECT_TRUE(fleet_.run_until(
      90s, [&] { return clients_of(two_, kKept) == std::set<std::string>{stays}; }));
  EXPECT_EQ(two_.ask("presence_stats", {{"channel", kKept}})["result"],
            Json::parse(R"({"num_clients":1,"num_users":1})"));
}

}  // namespace
}  // namespace sluice::test
