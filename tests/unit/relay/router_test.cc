#include "relay/router.h"

#include <gtest/gtest.h>

#include "proto/names.h"
#include "tests/unit/relay/recording.h"

namespace sluice::relay {
namespace {

using namespace test;
using proto::ErrorReason;
using Lines = std::vector<std::string>;

/// Two gateways, broker connected.
struct Pair : RouterWorld {
  explicit Pair(RouterOptions given = {}) : RouterWorld(given) { router.broker_connected(); }
  RecordingLink link_a;
  RecordingLink link_b;
  GatewayState* a = &connect(link_a, "1111");
  GatewayState* b = &connect(link_b, "2222");

  void join(std::string_view channel) {
    subscribe(*a, channel);
    subscribe(*b, channel);
    router.subscribed(channel, std::nullopt);
  }
};

// ---- subscriptions

TEST(Router, SubscribesOnceAndAnswersWhenTheBrokerHasConfirmed) {
  Pair w;
  w.subscribe(*w.a, "livechat", 11);
  w.subscribe(*w.b, "livechat", 12);
  EXPECT_EQ(w.broker.subscribes, Lines{"livechat"});
  EXPECT_TRUE(w.link_a.answers.empty());
  w.router.subscribed("livechat", std::nullopt);
  ASSERT_EQ(w.link_a.answers.size(), 1U);
  EXPECT_EQ(w.link_a.answers[0].request, 11U);
  EXPECT_EQ(w.link_a.answers[0].id, 1U);
  EXPECT_NE(w.link_a.answers[0].start.epoch, 0U);
  EXPECT_EQ(w.link_a.answers[0].start.offset, 0U);
  EXPECT_EQ(w.link_b.answers[0].request, 12U);
  EXPECT_EQ(w.watcher.lines.back(), "+livechat");
}

TEST(Router, EachSubscribedGatewayGetsEachMessageInOrder) {
  Pair w;
  w.join("livechat");
  w.deliver("livechat", "one");
  w.deliver("livechat", "two");
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:1:one", "2:2:two"}));
  EXPECT_EQ(w.drain(*w.b), (Lines{"1:1:one", "2:2:two"}));
  EXPECT_EQ(w.router.ring().messages(), 2U);
  EXPECT_GT(w.link_a.wakes, 0);
}

TEST(Router, NobodyGetsWhatHeHasNotSubscribed) {
  Pair w;
  w.subscribe(*w.a, "one");
  w.router.subscribed("one", std::nullopt);
  w.deliver("one", "x");
  w.deliver("other", "y");
  EXPECT_EQ(w.drain(*w.a), Lines{"1:1:x"});
  EXPECT_TRUE(w.drain(*w.b).empty());
  EXPECT_EQ(w.router.stats().messages_unwanted, 1U);
}

TEST(Router, SubscribingAgainGivesTheSameIdAndAfterUnsubscribingANewOne) {
  Pair w;
  w.join("c");
  w.subscribe(*w.a, "c", 2);
  ASSERT_EQ(w.link_a.answers.size(), 2U);
  EXPECT_EQ(w.link_a.answers[1].id, w.link_a.answers[0].id);
  w.deliver("c", "m");
  w.router.unsubscribe(*w.a, 1);
  ASSERT_EQ(w.link_a.unsubscribes.size(), 1U);
  EXPECT_EQ(w.link_a.unsubscribes[0], (std::pair<std::uint32_t, std::uint64_t>{1, 1}));
  w.subscribe(*w.a, "c", 3);
  EXPECT_EQ(w.link_a.answers.back().id, 2U);
  EXPECT_EQ(w.link_a.answers.back().start.offset, 1U);
  w.router.unsubscribe(*w.a, 77);
  EXPECT_EQ(w.link_a.unsubscribes.back().first, 77U);
}

TEST(Router, FromAPositionTheRingFillsTheHole) {
  Pair w;
  w.join("c");
  for (const char* m : {"1", "2", "3"}) w.deliver("c", m);
  const std::uint64_t epoch = w.link_a.answers[0].start.epoch;
  w.drain(*w.a);
  w.router.unsubscribe(*w.a, 1);
  w.subscribe(*w.a, "c", 9, proto::Position{epoch, 1});
  EXPECT_TRUE(w.link_a.answers.back().continuous);
  EXPECT_EQ(w.link_a.answers.back().start, (proto::Position{epoch, 1}));
  EXPECT_EQ(w.drain(*w.a), (Lines{"4:2:2", "5:3:3"}));
}

TEST(Router, FromAPositionThatTheRingHasLostTheStreamStartsLater) {
  RouterOptions options;
  options.ring.messages_max = 2;
  Pair w(options);
  w.join("c");
  for (const char* m : {"1", "2", "3", "4", "5"}) w.deliver("c", m);
  const std::uint64_t epoch = w.link_a.answers[0].start.epoch;
  w.drain(*w.a);
  w.router.unsubscribe(*w.a, 1);
  w.subscribe(*w.a, "c", 9, proto::Position{epoch, 1});
  EXPECT_FALSE(w.link_a.answers.back().continuous);
  EXPECT_EQ(w.link_a.answers.back().start, (proto::Position{epoch, 3}));
  EXPECT_EQ(w.drain(*w.a), (Lines{"6:4:4", "7:5:5"}));
}

TEST(Router, FromAnotherEpochNothingIsReplayed) {
  Pair w;
  w.join("c");
  w.deliver("c", "1");
  w.drain(*w.a);
  w.router.unsubscribe(*w.a, 1);
  w.subscribe(*w.a, "c", 9, proto::Position{12345, 0});
  EXPECT_FALSE(w.link_a.answers.back().continuous);
  EXPECT_EQ(w.link_a.answers.back().start.offset, 1U);
  EXPECT_TRUE(w.drain(*w.a).empty());
}

TEST(Router, ChannelsAreBounded) {
  RouterOptions options;
  options.channels_max = 1;
  Pair w(options);
  w.join("c");
  w.subscribe(*w.a, "d", 5);
  ASSERT_EQ(w.link_a.refusals.size(), 1U);
  EXPECT_EQ(w.link_a.refusals[0].request, 5U);
  // One that nobody wants any more makes room.
  w.router.unsubscribe(*w.a, 1);
  w.router.unsubscribe(*w.b, 1);
  w.subscribe(*w.a, "d", 6);
  EXPECT_EQ(w.broker.unsubscribes, Lines{"c"});
  EXPECT_EQ(w.broker.subscribes.back(), "d");
}

TEST(Router, WhatTheClusterAsksIsHeardBeyondTheBound) {
  RouterOptions options;
  options.channels_max = 1;
  Pair w(options);
  w.join("c");
  w.subscribe(*w.a, std::string(proto::kControlChannel), 5);
  EXPECT_TRUE(w.link_a.refusals.empty());
}

TEST(Router, AGatewayMayAskOftenForWhatTheBrokerDoesNotConfirm) {
  Pair w;
  for (std::uint64_t request = 10; request < 30; ++request) w.subscribe(*w.a, "slow", request);
  EXPECT_TRUE(w.link_a.refusals.empty());
}

// ---- linger and resume

TEST(Router, ABrokerSubscriptionLingersAfterItsLastSubscriber) {
  Pair w;
  w.join("c");
  w.router.unsubscribe(*w.a, 1);
  w.router.unsubscribe(*w.b, 1);
  w.time.advance(59s);
  w.router.tick();
  EXPECT_TRUE(w.broker.unsubscribes.empty());
  w.deliver("c", "unheard");
  w.subscribe(*w.a, "c", 3);
  EXPECT_EQ(w.link_a.answers.back().start.offset, 1U);
  w.time.advance(90s);
  w.router.tick();
  EXPECT_TRUE(w.broker.unsubscribes.empty());
  w.router.unsubscribe(*w.a, 2);
  w.time.advance(60s);
  w.router.tick();
  EXPECT_EQ(w.broker.unsubscribes, Lines{"c"});
  EXPECT_EQ(w.router.channels(), 0U);
}

TEST(Router, AGatewayThatComesBackGoesOnWhereItWas) {
  Pair w;
  w.join("c");
  w.deliver("c", "1");
  w.drain(*w.a);
  w.deliver("c", "2");
  w.router.detach(*w.a);
  w.deliver("c", "3");
  RecordingLink again;
  proto::Hello hello;
  hello.gateway_id = "1111";
  hello.resume = true;
  hello.relay_instance = w.router.instance();
  hello.last_sequence = 1;
  const auto attached = w.router.attach(again, hello);
  ASSERT_TRUE(attached);
  EXPECT_TRUE(attached->resumed);
  EXPECT_EQ(attached->last_sequence, 3U);
  w.router.greet(*attached->gateway, hello.last_sequence);
  EXPECT_TRUE(again.answers.empty()) << "confirmed below what it has received";
  EXPECT_EQ(w.drain(*attached->gateway), (Lines{"2:2:2", "3:3:3"}));
}

TEST(Router, AConfirmationThatMayBeLostIsToldAgain) {
  Pair w;
  w.subscribe(*w.a, "c", 1);
  w.router.detach(*w.a);
  w.router.subscribed("c", std::nullopt);
  w.deliver("c", "1");
  RecordingLink again;
  proto::Hello hello;
  hello.gateway_id = "1111";
  hello.resume = true;
  hello.relay_instance = w.router.instance();
  const auto attached = w.router.attach(again, hello);
  ASSERT_TRUE(attached->resumed);
  w.router.greet(*attached->gateway, 0);
  ASSERT_EQ(again.answers.size(), 1U);
  EXPECT_EQ(again.answers[0].request, 0U);
  EXPECT_EQ(again.answers[0].start.offset, 0U);
  w.subscribe(*attached->gateway, "c", 2);
  EXPECT_EQ(again.answers[1].id, again.answers[0].id);
}

// Found by the fault sweep: the gateway may have given the channel up while it was away, and would
// take the messages of an id that it was never given for a disagreement.
TEST(Router, AConfirmationAfterAResumeIsToldThoughItsRequestDiedWithTheLink) {
  Pair w;
  w.subscribe(*w.a, "c", 8);
  w.router.detach(*w.a);
  RecordingLink again;
  proto::Hello hello;
  hello.gateway_id = "1111";
  hello.resume = true;
  hello.relay_instance = w.router.instance();
  const auto attached = w.router.attach(again, hello);
  ASSERT_TRUE(attached);
  ASSERT_TRUE(attached->resumed);
  w.router.greet(*attached->gateway, 0);
  EXPECT_TRUE(again.answers.empty());
  w.router.subscribed("c", std::nullopt);
  ASSERT_EQ(again.answers.size(), 1U);
  EXPECT_EQ(again.answers[0].request, 0U);
  EXPECT_EQ(again.answers[0].channel, "c");
}

// ---- a gateway that has forgotten everything but the sequence

/// Gateway 1111 comes back like that.
struct Forgetful {
  Forgetful(Pair& w, std::uint64_t last_sequence) {
    if (w.a->port != nullptr) w.router.detach(*w.a);
    proto::Hello hello;
    hello.gateway_id = "1111";
    hello.resume = hello.forgotten = true;
    hello.relay_instance = w.router.instance();
    hello.last_sequence = last_sequence;
    const auto attached = w.router.attach(link, hello);
    EXPECT_TRUE(attached && attached->resumed);
    w.router.greet_forgotten(*attached->gateway, last_sequence);
  }
  [[nodiscard]] const RecordingLink::Answer& of(std::string_view channel) const {
    for (const auto& answer : link.answers)
      if (answer.channel == channel) return answer;
    static const RecordingLink::Answer kNone{};
    ADD_FAILURE() << channel << " was not told";
    return kNone;
  }
  RecordingLink link;
};

TEST(Router, WhoHasForgottenIsToldAllWithWhereEachStreamGoesOn) {
  Pair w;
  for (const char* channel : {"quiet", "read", "behind"}) w.join(channel);
  w.subscribe(*w.a, "unconfirmed");
  w.deliver("read", "1");
  w.deliver("behind", "2");
  w.deliver("behind", "3");
  w.drain(*w.a);
  const std::uint64_t epoch = w.link_a.answers[2].start.epoch;
  Forgetful again(w, 2);
  ASSERT_EQ(again.link.answers.size(), 3U);
  for (const auto& answer : again.link.answers) {
    EXPECT_EQ(answer.request, 0U);
    EXPECT_TRUE(answer.continuous);
  }
  EXPECT_EQ(again.of("quiet").start.offset, 0U);
  EXPECT_EQ(again.of("read").start.offset, 1U);
  EXPECT_EQ(again.of("behind").start, (proto::Position{epoch, 1}));
  EXPECT_EQ(again.link.broker_states, std::vector<bool>{true});
  EXPECT_EQ(w.drain(*w.a), Lines{"3:2:3"});
  // Confirmed later: as nobody asked for a position, nothing is missing.
  w.router.subscribed("unconfirmed", std::nullopt);
  EXPECT_TRUE(again.of("unconfirmed").continuous);
}

TEST(Router, WhoHasForgottenHearsOfABreakThatIsStillToComeFromBeforeIt) {
  Pair w;
  w.join("c");
  w.join("quiet");
  w.deliver("c", "1");
  const std::uint64_t epoch = w.link_a.answers[0].start.epoch;
  const std::uint64_t quiet_epoch = w.link_a.answers[1].start.epoch;
  w.router.subscribed("c", 1s);
  w.router.subscribed("quiet", 1s);
  w.deliver("c", "2");
  {
    Forgetful again(w, 1);
    EXPECT_EQ(again.of("c").start, (proto::Position{epoch, 1}));
    EXPECT_EQ(again.of("quiet").start, (proto::Position{quiet_epoch, 0}));
    w.router.detach(*w.a);
  }
  Forgetful behind(w, 3);
  EXPECT_NE(behind.of("c").start.epoch, epoch);
  EXPECT_EQ(behind.of("c").start.offset, 0U);
  EXPECT_NE(behind.of("quiet").start.epoch, quiet_epoch);
}

TEST(Router, WhoHasForgottenIsToldWhatItMayNotHaveHeardToBeMissing) {
  Pair w;
  w.join("other");
  w.subscribe(*w.a, "c", 1, proto::Position{12345, 6});
  w.router.subscribed("c", std::nullopt);
  {
    Forgetful at_once(w, 0);
    EXPECT_FALSE(at_once.of("c").continuous);
    EXPECT_TRUE(at_once.of("other").continuous) << "it had asked for no position";
    w.router.detach(*w.a);
  }
  w.deliver("other", "1");
  Forgetful later(w, 1);
  EXPECT_TRUE(later.of("c").continuous) << "whoever received the message had heard of it";
}

TEST(Router, APositionThatNobodyKnowsIsNeverContinuous) {
  Pair w;
  w.join("c");
  w.router.unsubscribe(*w.a, 1);
  w.subscribe(*w.a, "c", 2, proto::Position{});
  EXPECT_FALSE(w.link_a.answers.back().continuous);
  EXPECT_NE(w.link_a.answers.back().start.epoch, 0U);
}

TEST(Router, WithoutResumeOrFromAnotherRelayItStartsAfresh) {
  Pair w;
  w.join("c");
  w.deliver("c", "1");
  w.router.detach(*w.a);
  RecordingLink again;
  proto::Hello hello;
  hello.gateway_id = "1111";
  hello.resume = true;
  hello.relay_instance = w.router.instance() + 1;
  const auto attached = w.router.attach(again, hello);
  ASSERT_TRUE(attached);
  EXPECT_FALSE(attached->resumed);
  EXPECT_EQ(attached->last_sequence, 0U);
  EXPECT_TRUE(w.drain(*attached->gateway).empty());
  EXPECT_EQ(w.router.subscriptions(), 1U);
}

TEST(Router, AGatewayAndItsChannelsAreForgottenAfterTheLinger) {
  Pair w;
  w.subscribe(*w.a, "c");
  w.router.subscribed("c", std::nullopt);
  w.router.detach(*w.a);
  w.time.advance(59s);
  w.router.tick();
  EXPECT_EQ(w.router.gateways(), 2U);
  w.time.advance(1s);
  w.router.tick();
  EXPECT_EQ(w.router.gateways(), 1U);
  EXPECT_EQ(w.broker.unsubscribes, Lines{"c"}) << "one linger, not two";
}

TEST(Router, ASecondLiveLinkOfOneIdIsRefused) {
  Pair w;
  RecordingLink second;
  proto::Hello hello;
  hello.gateway_id = "1111";
  const auto attached = w.router.attach(second, hello);
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().code, ErrorCode::kInUse);
}

TEST(Router, GatewaysAreBoundedAndALingeringOneMakesRoom) {
  RouterOptions options;
  options.gateways_max = 2;
  Pair w(options);
  RecordingLink third;
  proto::Hello hello;
  hello.gateway_id = "3333";
  EXPECT_EQ(w.router.attach(third, hello).error().code, ErrorCode::kPermission);
  w.router.detach(*w.b);
  EXPECT_TRUE(w.router.attach(third, hello));
  EXPECT_EQ(w.router.gateways(), 2U);
}

TEST(Router, AGatewayThatEndsForGoodIsForgottenAtOnce) {
  Pair w;
  w.join("c");
  w.router.end(*w.a);
  EXPECT_EQ(w.router.gateways(), 1U);
  EXPECT_EQ(w.router.subscriptions(), 1U);
  EXPECT_EQ(w.router.links(), 1U);
}

// ---- slow gateways

TEST(Router, ASlowGatewayIsCutAndTheOtherNotices) {
  RouterOptions options;
  options.gateway_queue_bytes = 4096;
  Pair w(options);
  w.join("c");
  std::size_t received = 0;
  for (int i = 0; i < 500; ++i) {
    w.deliver("c", std::string(100, 'x'));
    received += w.drain(*w.b).size();
  }
  EXPECT_EQ(received, 500U);
  EXPECT_LE(w.router.queue_bytes(), 4096U);
  EXPECT_EQ(w.router.stats().overruns, 1U);
  EXPECT_EQ(w.watcher.lines.back(), "overrun 1111");
  const Lines lines = w.drain(*w.a);
  EXPECT_EQ(w.router.stats().gaps_overrun, 1U);
  EXPECT_EQ(w.router.stats().messages_lost + lines.size() - 1, 500U);
}

// ---- publishing

TEST(Router, PublishesGoToTheBrokerAndAreAcknowledged) {
  Pair w;
  w.join("c");
  w.publish(*w.a, "c", "hi", 42);
  ASSERT_EQ(w.broker.publishes.size(), 1U);
  EXPECT_EQ(w.broker.publishes[0].channel, "c");
  EXPECT_TRUE(w.link_a.acknowledged.empty());
  w.router.published(w.broker.publishes[0].id, PublishOutcome::kPublished, {});
  EXPECT_EQ(w.link_a.acknowledged, std::vector<std::uint64_t>{42});
  EXPECT_EQ(w.router.stats().published, 1U);
  EXPECT_EQ(w.router.publishes_in_flight(), 0U);
}

TEST(Router, ByIdAndOnlyByAKnownOne) {
  Pair w;
  w.join("c");
  proto::Publish p;
  p.acknowledge = true;
  p.channel_id = 1;
  p.payload = proto::as_bytes("x");
  p.meta = proto::as_bytes("m");
  w.router.publish(*w.a, p);
  EXPECT_EQ(w.broker.publishes.at(0).channel, "c");
  EXPECT_EQ(w.broker.publishes.at(0).meta, "m");
  p.channel_id = 2;
  w.router.publish(*w.a, p);
  EXPECT_EQ(w.link_a.refusals.at(0).reason, ErrorReason::kUnknownChannel);
}

TEST(Router, APublishWaitsForTheSubscriptionOfItsChannel) {
  Pair w;
  w.subscribe(*w.a, "c");
  w.publish(*w.a, "c", "first");
  w.publish(*w.a, "c", "second");
  w.publish(*w.a, "other", "free");
  EXPECT_EQ(w.broker.payloads(), Lines{"free"});
  w.router.subscribed("c", std::nullopt);
  EXPECT_EQ(w.broker.payloads(), (Lines{"free", "first", "second"}));
}

TEST(Router, PublishesWaitInOrderWhileTheBrokerHasNoRoom) {
  Pair w;
  w.join("c");
  w.broker.room = false;
  w.router.broker_away("gone");
  w.publish(*w.a, "c", "1");
  w.publish(*w.b, "c", "2");
  w.broker.room = true;
  w.publish(*w.a, "c", "3");  // must not overtake
  EXPECT_TRUE(w.broker.publishes.empty());
  w.router.broker_connected();
  EXPECT_EQ(w.broker.payloads(), (Lines{"1", "2", "3"}));
}

TEST(Router, AHeldPublishFailsAtItsDeadlineAndIsNeverSent) {
  Pair w;
  w.broker.room = false;
  w.publish(*w.a, "c", "soon", 1, 1000);
  w.publish(*w.a, "c", "later", 2, 3000);
  w.time.advance(1s);
  w.router.tick();
  ASSERT_EQ(w.link_a.refusals.size(), 1U);
  EXPECT_EQ(w.link_a.refusals[0].request, 1U);
  EXPECT_EQ(w.link_a.refusals[0].reason, ErrorReason::kTimedOut);
  w.broker.room = true;
  w.router.broker_connected();
  EXPECT_EQ(w.broker.payloads(), Lines{"later"});
  EXPECT_EQ(w.router.stats().publish_timed_out, 1U);
}

TEST(Router, RefusesWhatIsTooLargeOrTooMuch) {
  RouterOptions options;
  options.payload_bytes_max = 100;
  options.publish_queue_bytes = 1000;
  Pair w(options);
  w.publish(*w.a, "c", std::string(101, 'x'));
  EXPECT_EQ(w.link_a.refusals.at(0).reason, ErrorReason::kTooLarge);
  w.broker.room = false;
  for (int i = 0; i < 10; ++i) w.publish(*w.a, "c", "x");
  EXPECT_EQ(w.link_a.refusals.back().reason, ErrorReason::kQueueFull);
  EXPECT_LE(w.router.hold().bytes(), 1000U);
  EXPECT_EQ(w.router.stats().publish_queue_full + w.router.hold().count(), 10U);
}

TEST(Router, UnknownFateAndRefusalReachWhoAsked) {
  Pair w;
  w.publish(*w.a, "c", "1", 5);
  w.publish(*w.a, "c", "2", 6);
  w.router.published(w.broker.publishes[0].id, PublishOutcome::kUnknownFate, "lost");
  w.router.published(w.broker.publishes[1].id, PublishOutcome::kRefused, "OOM");
  ASSERT_EQ(w.link_a.refusals.size(), 2U);
  EXPECT_EQ(w.link_a.refusals[0].reason, ErrorReason::kUnknownFate);
  EXPECT_EQ(w.link_a.refusals[1].reason, ErrorReason::kRefusedByBroker);
  EXPECT_EQ(w.broker.publishes.size(), 2U);
}

TEST(Router, AnAnswerForALinkThatEndedIsNobodys) {
  Pair w;
  w.publish(*w.a, "c", "1", 5);
  w.router.detach(*w.a);
  RecordingLink again;
  w.connect(again, "1111");
  w.router.published(w.broker.publishes[0].id, PublishOutcome::kPublished, {});
  EXPECT_TRUE(again.acknowledged.empty());
  EXPECT_EQ(w.router.stats().published, 1U);
}

TEST(Router, WhatWaitedForAChannelThatWasGivenUpGoes) {
  Pair w;
  w.subscribe(*w.a, "c");
  w.publish(*w.b, "c", "x", 1, 200000);
  w.router.end(*w.a);
  w.time.advance(60s);
  w.router.tick();
  EXPECT_EQ(w.broker.payloads(), Lines{"x"});
}

TEST(Router, AtTheEndHeldPublishesAreRefused) {
  Pair w;
  w.broker.room = false;
  w.publish(*w.a, "c", "1");
  w.router.shut_down();
  w.publish(*w.a, "c", "2");
  ASSERT_EQ(w.link_a.refusals.size(), 2U);
  EXPECT_EQ(w.link_a.refusals[0].reason, ErrorReason::kShuttingDown);
  EXPECT_EQ(w.link_a.refusals[1].reason, ErrorReason::kShuttingDown);
  EXPECT_TRUE(w.router.hold().empty());
}

// ---- the broker's state and lost continuity

TEST(Router, EveryLinkHearsOfTheBrokerAtOnceAndOnChange) {
  Pair w;
  EXPECT_EQ(w.link_a.broker_states, (std::vector<bool>{false, true}));
  w.router.broker_away("connection refused");
  w.router.broker_away("still refused");
  w.router.broker_connected();
  w.router.broker_connected();  // room again
  EXPECT_EQ(w.link_a.broker_states, (std::vector<bool>{false, true, false, true}));
  EXPECT_EQ(w.router.stats().broker_losses, 1U);
}

TEST(Router, LostContinuityIsAGapInEachIndexAndANewEpoch) {
  Pair w;
  w.join("c");
  w.deliver("c", "before");
  const std::uint64_t epoch = w.link_a.answers[0].start.epoch;
  w.router.detach(*w.b);
  w.router.subscribed("c", 1500ms);
  w.deliver("c", "after");
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:1:before", "2:gap broker ?", "3:1:after"}));
  // It survives the resume of the one that was away.
  EXPECT_EQ(w.drain(*w.b), (Lines{"1:1:before", "2:gap broker ?", "3:1:after"}));
  EXPECT_EQ(w.router.stats().gaps_broker, 1U);
  EXPECT_EQ(w.watcher.lines.back(), "gap c");
  // The old epoch can't be asked for any more.
  w.router.unsubscribe(*w.a, 1);
  w.subscribe(*w.a, "c", 9, proto::Position{epoch, 0});
  EXPECT_FALSE(w.link_a.answers.back().continuous);
  EXPECT_NE(w.link_a.answers.back().start.epoch, epoch);
  EXPECT_TRUE(w.drain(*w.a).empty());
}

TEST(Router, AReconfirmationWithoutLossChangesNothing) {
  Pair w;
  w.join("c");
  w.router.subscribed("c", std::nullopt);
  w.deliver("c", "x");
  EXPECT_EQ(w.drain(*w.a), Lines{"1:1:x"});
  EXPECT_EQ(w.link_a.answers.size(), 1U);
}

TEST(Router, AMessageLargerThanTheLinkCarriesIsAGapOfOne) {
  Pair w;
  w.join("c");
  w.deliver("c", "1");
  w.deliver("c", std::string(proto::kPayloadBytesMax + 1, 'x'));
  w.deliver("c", "3");
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:1:1", "2:gap oversized 1", "3:3:3"}));
  EXPECT_EQ(w.watcher.lines.back(), "oversized c 16777217");
  const std::uint64_t epoch = w.link_a.answers[0].start.epoch;
  w.router.unsubscribe(*w.a, 1);
  w.subscribe(*w.a, "c", 9, proto::Position{epoch, 1});
  EXPECT_FALSE(w.link_a.answers.back().continuous);
  EXPECT_EQ(w.link_a.answers.back().start.offset, 2U);
  EXPECT_EQ(w.drain(*w.a), Lines{"4:3:3"});
}

TEST(Router, OneThatTheBrokerSkippedIsAGapOfOneToo) {
  Pair w;
  w.join("c");
  w.deliver("c", "1");
  w.router.message_oversized("c", 1ULL << 33U);
  w.router.message_oversized("c", 1ULL << 33U);
  w.router.message_oversized("nobody's", 1ULL << 33U);
  w.deliver("c", "4");
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:1:1", "3:gap oversized 2", "4:4:4"}));
  EXPECT_EQ(w.router.stats().messages_oversized, 2U);
  EXPECT_EQ(w.router.stats().messages_unwanted, 1U);
  EXPECT_EQ(w.router.stats().gaps_oversized, 1U);
  EXPECT_EQ(w.router.stats().gaps_overrun, 0U);
  EXPECT_EQ(w.router.stats().messages_lost, 2U);
}

TEST(Router, AnAssembledMessageGoesIntoTheRingAsItIs) {
  Pair w;
  w.join("c");
  EntryDraft draft(5);
  draft.append(proto::as_bytes("hel"));
  draft.append(proto::as_bytes("lo"));
  const std::uint8_t* bytes = draft.payload().data();
  w.router.message("c", std::move(draft));
  Outgoing next;
  w.router.take(*w.a, next);
  ASSERT_EQ(next.kind, Outgoing::Kind::kMessage);
  EXPECT_EQ(next.entry->payload().data(), bytes);
  EXPECT_EQ(proto::as_text(next.entry->payload()), "hello");
  EXPECT_EQ(next.entry->position().offset, 1U);
  w.router.message("nobody's", EntryDraft(0));
  EXPECT_EQ(w.router.stats().messages_unwanted, 1U);
}

}  // namespace
}  // namespace sluice::relay
