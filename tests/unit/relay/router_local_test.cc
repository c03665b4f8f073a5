// What parts of the relay itself ask of the Router.
#include <gtest/gtest.h>

#include "relay/limits.h"
#include "tests/unit/relay/recording.h"

namespace sluice::relay {
namespace {

using namespace test;
using proto::ErrorReason;

struct LocalWorld : RouterWorld {
  LocalWorld() { router.broker_connected(); }
  LocalRequests& local() { return router; }
  void publish(std::string_view channel, std::string_view payload, bool skip_history = false) {
    LocalPublish p;
    p.channel = channel;
    p.payload = proto::as_bytes(payload);
    p.wait = 1s;
    p.skip_history = skip_history;
    local().publish(p, [this](const LocalPublished& one) { published.push_back(one); });
  }
  void history(std::string_view channel) {
    local().history(channel, {}, [this](const HistoryAnswer& one) { histories.push_back(one); });
  }
  std::vector<LocalPublished> published;
  std::vector<HistoryAnswer> histories;
};

TEST(RouterLocal, PublishesWaitAndFailAsAGatewaysDo) {
  LocalWorld w;
  w.publish("h:c", "one");
  ASSERT_EQ(w.broker.publishes.size(), 1U);
  w.router.published(w.broker.publishes[0].id, PublishOutcome::kPublished, "",
                     proto::Position{5, 7});
  ASSERT_EQ(w.published.size(), 1U);
  EXPECT_EQ(w.published[0].error, ErrorReason{});
  EXPECT_EQ(w.published[0].position, (proto::Position{5, 7}));
  w.publish("c", "two");
  w.router.published(w.broker.publishes[1].id, PublishOutcome::kUnknownFate, "lost");
  EXPECT_EQ(w.published[1].error, ErrorReason::kUnknownFate);
  w.broker.room = false;
  w.publish("c", "three");
  w.time.advance(1s);
  w.router.tick();
  EXPECT_EQ(w.published[2].error, ErrorReason::kTimedOut);
  // With no time to wait it goes at once or not at all.
  const std::uint64_t timed_out = w.router.stats().publish_timed_out;
  const std::uint64_t published = w.router.stats().published;
  w.local().publish({.channel = "c", .payload = proto::as_bytes("now")},
                    [&w](const LocalPublished& one) { w.published.push_back(one); });
  EXPECT_EQ(w.published.at(3).error, ErrorReason::kTimedOut);
  EXPECT_EQ(w.router.hold().count(), 0U);
  EXPECT_EQ(w.router.stats().publish_timed_out, timed_out);
  w.published.pop_back();
  // Nor is it counted as what somebody waits for.
  w.broker.room = true;
  w.local().publish({.channel = "c", .payload = proto::as_bytes("now")},
                    [](const LocalPublished&) {});
  EXPECT_EQ(w.router.publishes_in_flight(), 1U);
  EXPECT_EQ(w.router.asked_publishes_in_flight(), 0U);
  w.publish("c", "four");
  EXPECT_EQ(w.router.asked_publishes_in_flight(), 1U);
  for (const PublishId id : {w.broker.publishes.at(2).id, w.broker.publishes.at(3).id})
    w.router.published(id, PublishOutcome::kPublished, "");
  EXPECT_EQ(w.router.publishes_in_flight(), 0U);
  EXPECT_EQ(w.router.asked_publishes_in_flight(), 0U);
  EXPECT_EQ(w.router.stats().published, published + 1);
  w.published.pop_back();
  w.publish("c", std::string(w.options.payload_bytes_max + 1, 'x'));
  EXPECT_EQ(w.published[3].error, ErrorReason::kTooLarge);
  w.publish("", "x");
  EXPECT_EQ(w.published[4].error, ErrorReason::kUnknownChannel);
}

TEST(RouterLocal, SkippingTheHistoryPublishesBesideIt) {
  LocalWorld w;
  w.publish("h:c", "x", true);
  ASSERT_EQ(w.broker.publishes.size(), 1U);
  EXPECT_EQ(w.broker.publishes[0].options, (ChannelOptions{.envelope = true}));
  w.router.published(w.broker.publishes[0].id, PublishOutcome::kPublished, "");
  ASSERT_EQ(w.published.size(), 1U);
  EXPECT_EQ(w.published[0].error, ErrorReason{});
  EXPECT_EQ(w.published[0].position, proto::Position{});
  // One that has to wait goes so too.
  w.broker.room = false;
  w.publish("h:c", "waits", true);
  w.publish("h:c", "is kept");
  w.broker.room = true;
  w.router.broker_connected();
  ASSERT_EQ(w.broker.publishes.size(), 3U);
  EXPECT_EQ(w.broker.publishes[1].options, (ChannelOptions{.envelope = true}));
  EXPECT_TRUE(w.broker.publishes[2].options.history());
  // A channel without history is none the wiser.
  w.publish("c", "x", true);
  EXPECT_EQ(w.broker.publishes[3].options, ChannelOptions{});
}

TEST(RouterLocal, HistoryIsTheBrokers) {
  LocalWorld w;
  w.history("h:c");
  ASSERT_EQ(w.broker.histories.size(), 1U);
  HistoryAnswer found;
  found.top = {5, 2};
  w.router.history(w.broker.histories[0].id, found);
  ASSERT_EQ(w.histories.size(), 1U);
  EXPECT_EQ(w.histories[0].top, (proto::Position{5, 2}));
  w.local().remove_history("h:c", [&w](const HistoryAnswer& one) { w.histories.push_back(one); });
  ASSERT_EQ(w.broker.removals.size(), 1U);
  w.router.history(w.broker.removals[0].id, found);
  EXPECT_EQ(w.histories.size(), 2U);
  // One without a history has its position, if anybody listens.
  w.history("c");
  EXPECT_EQ(w.histories[2].top, proto::Position{});
  EXPECT_EQ(w.broker.histories.size(), 1U);
}

TEST(RouterLocal, PresenceIsTheBrokers) {
  LocalWorld w;
  std::vector<std::uint32_t> clients;
  w.local().presence("c", true,
                     [&clients](const PresenceAnswer& one) { clients.push_back(one.clients); });
  ASSERT_EQ(w.broker.presences.size(), 1U);
  w.router.presence(w.broker.presences[0].id,
                    {.error = {}, .clients = 3, .users = 1, .entries = {}});
  EXPECT_EQ(clients, std::vector<std::uint32_t>{3});
}

TEST(RouterLocal, QuestionsAreBounded) {
  LocalWorld w;
  for (std::size_t i = 0; i <= kLocalQueriesMax; ++i) w.history("h:c");
  ASSERT_EQ(w.histories.size(), 1U);
  EXPECT_FALSE(w.histories[0].error.empty());
  EXPECT_EQ(w.broker.histories.size(), kLocalQueriesMax);
}

TEST(RouterLocal, TheEndAnswersAllAndOnce) {
  LocalWorld w;
  w.publish("c", "in flight");
  w.broker.room = false;
  w.publish("c", "waits");
  w.history("h:c");
  w.router.shut_down();
  ASSERT_EQ(w.published.size(), 2U);
  EXPECT_EQ(w.published[0].error, ErrorReason::kShuttingDown);
  EXPECT_EQ(w.published[1].error, ErrorReason::kUnknownFate);
  EXPECT_FALSE(w.histories.at(0).error.empty());
  w.router.published(w.broker.publishes[0].id, PublishOutcome::kPublished, "");
  w.router.history(w.broker.histories[0].id, {});
  w.publish("c", "late");
  EXPECT_EQ(w.published.size(), 3U);
  EXPECT_EQ(w.histories.size(), 1U);
}

TEST(RouterLocal, WhatIsListenedToStays) {
  LocalWorld w;
  std::string heard;
  w.local().listen("\x01nodes", [&heard](proto::Bytes payload) {
    heard += std::string(proto::as_text(payload)) + ";";
  });
  EXPECT_EQ(w.broker.subscribes, std::vector<std::string>{"\x01nodes"});
  w.deliver("\x01nodes", "too early");
  w.router.subscribed("\x01nodes", std::nullopt);
  w.deliver("\x01nodes", "one");
  // A gateway that comes and goes changes nothing.
  RecordingLink link;
  GatewayState& gateway = w.connect(link, "1111");
  w.subscribe(gateway, "\x01nodes");
  w.deliver("\x01nodes", "two");
  w.router.unsubscribe(gateway, 1);
  w.time.advance(w.options.linger * 2);
  w.router.tick();
  EXPECT_TRUE(w.broker.unsubscribes.empty());
  EntryDraft draft(5);
  draft.append(proto::as_bytes("three"));
  w.router.message("\x01nodes", std::move(draft));
  EXPECT_EQ(heard, "one;two;three;");
}

}  // namespace
}  // namespace sluice::relay
