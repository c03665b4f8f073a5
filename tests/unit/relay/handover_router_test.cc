// The Router's state from program to program: nothing is forgotten, and bytes that no relay has
// written do no harm.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "proto/names.h"
#include "relay/handover/hold_codec.h"
#include "relay/handover/router_codec.h"
#include "relay/limits.h"
#include "tests/unit/relay/handover_samples.h"

namespace sluice::relay::test {
namespace {

std::string state_of(const Router& router) {
  return written([&router](StateWriter& out) { RouterCodec::write(out, router); });
}

/// The next program: what it has read, at the same time of day.
struct NextWorld : RouterWorld {
  explicit NextWorld(const std::string& state, RouterOptions given = small_options())
      : RouterWorld(given), reader(proto::as_bytes(state)) {
    unanswered = RouterCodec::read(reader, router);
    reader.must_end();
  }
  GatewayState& gateway(const std::string& id) { return *router.gateway_table().at(id); }
  /// Every link by number, whoever's it is.
  std::size_t adopt_all() {
    std::size_t adopted = 0;
    for (std::uint64_t link = 1; link < 10; ++link) {
      if (router.adopt(port, link) != nullptr) ++adopted;
    }
    return adopted;
  }

  StateReader reader;
  std::vector<PublishRequest> unanswered;
  RecordingLink port;
};

TEST(HandoverRouter, AWaitingPublishOfTheApiBeforeAnswersNobodyOfThisOne) {
  RouterWorld before(small_options());
  before.router.broker_connected();
  before.broker.room = false;
  const LocalPublish publish{
      .channel = "c", .payload = proto::as_bytes("x"), .meta = {}, .wait = std::chrono::seconds(5)};
  static_cast<LocalRequests&>(before.router).publish(publish, [](const LocalPublished&) {});
  NextWorld after(state_of(before.router));
  after.broker.room = false;
  std::vector<LocalPublished> told;
  static_cast<LocalRequests&>(after.router).publish(publish, [&told](const LocalPublished& one) {
    told.push_back(one);
  });
  after.broker.room = true;
  after.router.broker_connected();
  ASSERT_EQ(after.broker.publishes.size(), 2U);
  after.router.published(after.broker.publishes[0].id, PublishOutcome::kRefused, "", {});
  EXPECT_TRUE(told.empty());
  after.router.published(after.broker.publishes[1].id, PublishOutcome::kPublished, "", {});
  ASSERT_EQ(told.size(), 1U);
}

TEST(HandoverRouter, ItsOwnChannelsAreNoneOfClients) {
  BusyWorld before;
  const std::size_t clients = before.router.public_channels();
  EXPECT_EQ(clients, before.router.channels());
  before.subscribe(before.quick, proto::members_channel("a"), 41);
  before.subscribe(before.quick, "public", 42);
  EXPECT_EQ(before.router.public_channels(), clients + 1);
  NextWorld after(state_of(before.router));
  ASSERT_TRUE(after.reader.good()) << after.reader.error();
  EXPECT_EQ(after.router.channels(), clients + 2);
  EXPECT_EQ(after.router.public_channels(), clients + 1);
  // Both kinds are forgotten.
  ASSERT_EQ(after.adopt_all(), 3U);
  for (const char* id : {"1111", "2222"}) after.router.end(after.gateway(id));
  after.time.advance(after.options.linger);
  after.router.tick();
  after.time.advance(after.options.linger);
  after.router.tick();
  EXPECT_EQ(after.router.public_channels(), after.router.channels());
}

TEST(HandoverRouter, KeepsWhatItKnows) {
  BusyWorld before;
  NextWorld after(state_of(before.router));
  ASSERT_TRUE(after.reader.good()) << after.reader.error();
  const Router& was = before.router;
  const Router& is = after.router;
  EXPECT_EQ(is.instance(), was.instance());
  EXPECT_EQ(is.channels(), was.channels());
  EXPECT_EQ(is.public_channels(), was.public_channels());
  EXPECT_EQ(is.subscriptions(), was.subscriptions());
  EXPECT_EQ(is.gateways(), was.gateways());
  EXPECT_EQ(is.links(), was.links());
  EXPECT_EQ(is.tools(), was.tools());
  EXPECT_EQ(is.queue_bytes(), was.queue_bytes());
  EXPECT_EQ(is.ring().messages(), was.ring().messages());
  EXPECT_EQ(is.ring().bytes(), was.ring().bytes());
  EXPECT_EQ(is.ring().evicted(), was.ring().evicted());
  EXPECT_EQ(is.hold().count(), 2U);
  EXPECT_EQ(is.hold().bytes(), was.hold().bytes());
  EXPECT_EQ(after.unanswered.size(), 2U);
  EXPECT_TRUE(is.broker_is_connected());
  EXPECT_EQ(is.stats().messages_routed, was.stats().messages_routed);
  EXPECT_EQ(is.drain_marks().of("1111"), std::vector<std::string_view>{"lb-1"});
  EXPECT_EQ(after.gateway("1111").info->clients, 7U);
  EXPECT_EQ(*after.gateway("1111").info, *before.router.gateway_table().at("1111")->info);
  // All but what is of unknown fate now.
  EXPECT_EQ(state_of(is).size() + 2 * HoldCodec::kRequestBytes, state_of(was).size());
}

TEST(HandoverRouter, QueuesGoOnAtTheSameMessage) {
  BusyWorld before;
  NextWorld after(state_of(before.router));
  ASSERT_EQ(after.adopt_all(), 3U);
  for (const char* text : {"one more", "and another"}) {
    before.deliver("a", text);
    after.deliver("a", text);
  }
  for (const char* id : {"1111", "2222", "3333"}) {
    GatewayState& was = *before.router.gateway_table().at(id);
    EXPECT_EQ(after.drain(after.gateway(id)), before.drain(was)) << id;
  }
}

TEST(HandoverRouter, GatewaysThatAreAwayResumeAndAreForgottenInTime) {
  BusyWorld before;
  NextWorld after(state_of(before.router));
  proto::Hello hello;
  hello.gateway_id = "3333";
  hello.resume = true;
  hello.relay_instance = before.router.instance();
  const auto back = after.router.attach(after.port, hello);
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->resumed);
  after.router.detach(*back->gateway);
  after.time.advance(after.options.linger);
  EXPECT_EQ(after.adopt_all(), 3U);
  after.router.tick();
  EXPECT_FALSE(after.router.gateway_table().contains("3333"));
  EXPECT_EQ(after.broker.unsubscribes, std::vector<std::string>{"nobody"});
}

TEST(HandoverRouter, WaitingPublishesGoInOrderAndUnansweredOnesAreTold) {
  BusyWorld before;
  NextWorld after(state_of(before.router));
  after.adopt_all();
  after.router.lose_publishes(after.unanswered, "lost");
  ASSERT_EQ(after.port.refusals.size(), 2U);
  EXPECT_EQ(after.port.refusals[0].reason, proto::ErrorReason::kUnknownFate);
  EXPECT_EQ(after.router.stats().upgrade_unknown_fate, 2U);
  after.router.tick();
  EXPECT_EQ(after.broker.payloads(), std::vector<std::string>{"waits as well"});
  after.router.subscribed("unconfirmed", std::nullopt);
  EXPECT_EQ(after.broker.payloads().back(), "waits");
}

TEST(HandoverRouter, SubscriptionsThatWaitAreConfirmedUnderTheirRequests) {
  BusyWorld before;
  NextWorld after(state_of(before.router));
  after.adopt_all();
  after.router.subscribed("unconfirmed", std::nullopt);
  ASSERT_EQ(after.port.answers.size(), 1U);
  EXPECT_EQ(after.port.answers[0].request, 9U);
}

TEST(HandoverRouter, HistoriesGoOn) {
  BusyWorld before;
  NextWorld after(state_of(before.router));
  ASSERT_TRUE(after.reader.good()) << after.reader.error();
  ASSERT_EQ(after.adopt_all(), 3U);
  after.router.subscribed("h:c", std::nullopt, proto::Position{5, 9});
  after.deliver_at("h:c", 5, 10, "ten");
  const auto& channel = *after.router.channel_table().at("h:c");
  EXPECT_TRUE(channel.history);
  EXPECT_EQ(channel.options, before.router.channel_table().at("h:c")->options);
  EXPECT_EQ(channel.top, (proto::Position{5, 10}));
  const auto lines = after.drain(after.gateway("1111"));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find(":10:ten"), std::string::npos) << "no gap";
}

TEST(HandoverRouter, WhatStandsBesideAHistoryGoesOnSo) {
  BusyWorld before;
  GatewayState& a = *before.router.gateway_table().at("1111");
  before.drain(a);
  before.deliver("h:c", "raw");
  LocalPublish waits{.channel = "h:c", .payload = proto::as_bytes("kept back"), .wait = 5s};
  waits.skip_history = true;
  before.broker.room = false;
  static_cast<LocalRequests&>(before.router).publish(waits, [](const LocalPublished&) {});
  NextWorld after(state_of(before.router));
  ASSERT_TRUE(after.reader.good()) << after.reader.error();
  ASSERT_EQ(after.adopt_all(), 3U);
  after.deliver_at("h:c", 5, 10, "ten");
  const auto lines = after.drain(after.gateway("1111"));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find(":9 beside:raw"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find(":10:ten"), std::string::npos) << lines[1];
  after.router.tick();
  ASSERT_FALSE(after.broker.publishes.empty());
  EXPECT_EQ(after.broker.publishes.back().payload, "kept back");
  EXPECT_FALSE(after.broker.publishes.back().options.history());
}

TEST(HandoverRouter, RequestsAreAskedAgain) {
  BusyWorld before;
  ASSERT_EQ(before.router.requests(), 4U);
  NextWorld after(state_of(before.router));
  ASSERT_EQ(after.adopt_all(), 3U);
  EXPECT_EQ(after.router.requests(), 4U);
  GatewayState& slow = after.gateway("2222");
  EXPECT_EQ(after.answers(slow), std::vector<std::string>{"34:whole 5/9"});
  after.router.work();
  ASSERT_EQ(after.broker.histories.size(), 2U);
  ASSERT_EQ(after.broker.presences.size(), 1U);
  after.router.history(after.broker.histories[0].id, {});
  after.router.history(after.broker.histories[1].id, {});
  after.router.presence(after.broker.presences[0].id, {});
  EXPECT_EQ(after.answers(slow).size(), 3U);
  EXPECT_EQ(after.router.requests(), 0U);
}

TEST(HandoverRouter, AnAnswerUnderWayIsRefusedOverTwoUpgradesToo) {
  BusyWorld before;
  AnswerPiece piece;
  before.router.history(before.broker.histories.back().id,
                        {.error = {}, .top = {3, 1}, .publications = {{1, "one", ""}}});
  before.router.take_answer(before.slow, piece);
  ASSERT_EQ(piece.kind, AnswerPiece::Kind::kPublication);
  NextWorld between(state_of(before.router));
  ASSERT_TRUE(between.reader.good()) << between.reader.error();
  NextWorld after(state_of(between.router));
  ASSERT_TRUE(after.reader.good()) << after.reader.error();
  ASSERT_EQ(after.adopt_all(), 3U);
  const auto lines = after.answers(after.gateway("2222"));
  EXPECT_EQ(lines, (std::vector<std::string>{"31:refused unknown fate", "34:whole 5/9"}));
}

TEST(HandoverRouter, WhoIsWhereGoesOn) {
  BusyWorld before;
  NextWorld after(state_of(before.router));
  ASSERT_EQ(after.adopt_all(), 3U);
  EXPECT_EQ(after.router.presence_entries(), 3U);
  EXPECT_EQ(after.router.presence_leaving(), 1U);
  after.router.tick();
  after.router.work();
  EXPECT_EQ(after.broker.presence_changes, std::vector<std::string>{"-a/client-3/eve"});
  // Said on that very link.
  after.router.presence_synced(after.gateway("1111"));
  after.set_presence(after.gateway("1111"), "a", "client-1", "ann");
  after.router.work();
  EXPECT_EQ(after.broker.presence_changes.size(), 1U);
  after.time.advance(kPresenceRefresh);
  after.router.tick();
  after.router.work();
  EXPECT_EQ(after.broker.presence_changes.size(), 4U);
}

TEST(HandoverRouter, OtherBoundsHoldFromThenOn) {
  BusyWorld before;
  RouterOptions smaller = small_options();
  smaller.ring.messages_max = 2;
  smaller.publish_queue_bytes = 4;
  NextWorld after(state_of(before.router), smaller);
  ASSERT_TRUE(after.reader.good());
  after.adopt_all();
  EXPECT_EQ(after.router.hold().count(), 2U);
  after.broker.room = false;
  after.publish(after.gateway("1111"), "a", "no room");
  EXPECT_EQ(after.port.refusals.back().reason, proto::ErrorReason::kQueueFull);
  after.deliver("a", "x");
  EXPECT_EQ(after.router.ring().messages(), 2U);
}

/// Whatever could be read can be lived with.
void exercise(NextWorld& world) {
  if (!world.reader.good() || world.adopt_all() != world.router.all_links()) return;
  world.router.lose_publishes(world.unanswered, "lost");
  std::vector<std::string> names;
  for (const auto& [name, channel] : world.router.channel_table()) names.push_back(name);
  for (const std::string& name : names) {
    world.router.subscribed(name, std::chrono::seconds(1));
    world.deliver(name, "x");
  }
  world.router.work();
  for (const auto& [id, gateway] : world.router.gateway_table()) {
    (void)world.drain(*gateway);
    (void)world.answers(*gateway);
    if (gateway->port != nullptr) world.router.presence_synced(*gateway);
  }
  for (const RecordingBroker::Asked& asked : world.broker.histories)
    world.router.history(asked.id, {});
  for (const RecordingBroker::Asked& asked : world.broker.presences)
    world.router.presence(asked.id, {});
  world.router.broker_away("gone");
  world.router.tick();
}

TEST(HandoverRouter, CutShortAnywhereItIsRefused) {
  BusyWorld before;
  const std::string state = state_of(before.router);
  for (std::size_t bytes = 0; bytes < state.size(); ++bytes) {
    NextWorld after(state.substr(0, bytes));
    EXPECT_FALSE(after.reader.good()) << bytes;
  }
}

TEST(HandoverRouter, NoChangedByteDoesHarm) {
  BusyWorld before;
  const std::string state = state_of(before.router);
  std::size_t refused = 0;
  for (std::size_t place = 0; place < state.size(); ++place) {
    for (const char change : {'\x01', '\x80', '\xff'}) {
      std::string changed = state;
      changed[place] = static_cast<char>(changed[place] ^ change);
      NextWorld after(changed);
      if (!after.reader.good()) ++refused;
      exercise(after);
    }
  }
  EXPECT_GT(refused, state.size());
}

}  // namespace
}  // namespace sluice::relay::test
