// Operators' tools on the relay link: served, in no list of gateways, bounded, nothing left of
// them.
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "relay/limits.h"
#include "tests/unit/relay/session_link.h"

namespace sluice::relay {
namespace {

using namespace test;
using proto::ErrorReason;
using proto::FrameType;
using Types = std::vector<FrameType>;

struct ToolLink : RouterWorld {
  explicit ToolLink(RouterOptions given = {}) : RouterWorld(given) {
    router.broker_connected();
    tool->hello_tool();
    EXPECT_EQ(tool->receive(), (Types{FrameType::kWelcome, FrameType::kBrokerState}));
  }
  void send_status(std::uint64_t request, std::uint32_t channels = 20) {
    std::string out;
    proto::encode(out, proto::Status{.request = request, .channels_max = channels});
    tool->send(out);
  }
  std::unique_ptr<Link> tool = std::make_unique<Link>(*this);
};

TEST(ToolSession, IsWelcomedAndIsNoGateway) {
  ToolLink w;
  EXPECT_TRUE(w.tool->session.open());
  EXPECT_TRUE(w.tool->session.tool());
  EXPECT_EQ(w.router.tools(), 1U);
  EXPECT_EQ(w.router.links(), 0U);
  EXPECT_EQ(w.router.gateways(), 0U);
  w.tool.reset();
  EXPECT_EQ(w.router.tools(), 0U);
  EXPECT_EQ(w.router.gateways(), 0U);
}

TEST(ToolSession, SubscribesAndPublishesAsAGatewayDoes) {
  ToolLink w;
  w.tool->subscribe("livechat", 8);
  w.router.subscribed("livechat", std::nullopt);
  w.deliver("livechat", "hello");
  std::string out;
  proto::Publish p;
  p.request = 9;
  p.acknowledge = true;
  p.channel = "livechat";
  p.payload = proto::as_bytes("from the tool");
  proto::encode(out, p);
  w.tool->send(out);
  w.router.published(w.broker.publishes.at(0).id, PublishOutcome::kPublished, {});
  Types all = w.tool->receive();
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (Types{FrameType::kSubscribed, FrameType::kPublished, FrameType::kMessage}));
  EXPECT_EQ(w.broker.payloads(), std::vector<std::string>{"from the tool"});
}

TEST(ToolSession, CountsInNoFigureOfGateways) {
  ToolLink w;
  w.tool->subscribe("c");
  w.router.subscribed("c", std::nullopt);
  for (int i = 0; i < 20000; ++i) w.deliver("c", "0123456789012345678901234567890123456789");
  (void)w.tool->receive();
  const RouterStats& stats = w.router.stats();
  EXPECT_EQ(w.router.subscriptions(), 0U);
  EXPECT_EQ(stats.messages_routed, 0U);
  EXPECT_EQ(stats.messages_out, 0U);
  EXPECT_EQ(stats.gaps_overrun, 0U);
  EXPECT_EQ(stats.overruns, 0U);
  EXPECT_EQ(stats.messages_lost, 0U);
  EXPECT_EQ(w.router.queue_bytes(), 0U);
  for (const std::string& line : w.watcher.lines)
    EXPECT_EQ(line.find("overrun"), std::string::npos);
}

TEST(ToolSession, ATerminalThatStandsStillIsToldItsGap) {
  ToolLink w;
  w.tool->subscribe("c");
  w.router.subscribed("c", std::nullopt);
  (void)w.tool->receive();
  for (int i = 0; i < 10000; ++i) w.deliver("c", "x");
  const Types got = w.tool->receive();
  EXPECT_EQ(got.front(), FrameType::kGap);
  EXPECT_LE(got.size(), kToolIndexEntriesMax + 1) << "bounded, whatever a gateway may have";
}

TEST(ToolSession, HelloWithAnIdOrAResumeIsRefused) {
  RouterWorld w;
  const auto refused_with = [&w](const proto::Hello& hello) {
    Link link(w);
    std::string out;
    proto::encode(out, hello);
    link.send(out);
    EXPECT_EQ(link.receive(), Types{FrameType::kError});
    EXPECT_FALSE(link.session.open());
    return static_cast<ErrorReason>(link.last.aux);
  };
  EXPECT_EQ(refused_with({.tool = true, .gateway_id = "1111", .software = ""}),
            ErrorReason::kBadId);
  EXPECT_EQ(refused_with({.resume = true, .tool = true, .gateway_id = "", .software = ""}),
            ErrorReason::kMalformed);
  // What a relay that knows no tools says to one: it does not know the flag.
  EXPECT_EQ(refused_with({.gateway_id = "", .software = ""}), ErrorReason::kBadId);
  EXPECT_EQ(
      refused_with(
          {.tool = true, .version_min = 90, .version_max = 91, .gateway_id = "", .software = ""}),
      ErrorReason::kUnsupportedVersion);
  EXPECT_EQ(w.router.tools(), 0U);
}

TEST(ToolSession, NoGatewayCanTakeAToolsPlaceOrTheOtherWayRound) {
  RouterOptions options;
  options.gateways_max = 1;
  ToolLink w(options);
  Link gateway(w);
  gateway.hello("1111");
  EXPECT_TRUE(gateway.session.open()) << "the tool takes no gateway's place";
  std::vector<std::unique_ptr<Link>> others;
  for (std::size_t i = 1; i < kToolsMax; ++i) {
    others.push_back(std::make_unique<Link>(w));
    others.back()->hello_tool();
    EXPECT_TRUE(others.back()->session.open());
  }
  Link one_more(w);
  one_more.hello_tool();
  EXPECT_EQ(one_more.receive(), Types{FrameType::kError});
  EXPECT_EQ(static_cast<ErrorReason>(one_more.last.aux), ErrorReason::kTooManyTools);
  others.pop_back();
  Link in_its_place(w);
  in_its_place.hello_tool();
  EXPECT_TRUE(in_its_place.session.open());
  EXPECT_EQ(w.router.tools(), kToolsMax);
}

TEST(ToolSession, HasSoManyChannelsAndNoMore) {
  ToolLink w;
  for (std::size_t i = 0; i < kToolChannelsMax; ++i) w.tool->subscribe("c" + std::to_string(i));
  EXPECT_TRUE(w.tool->receive().empty());
  w.tool->subscribe("one more", 77);
  EXPECT_EQ(w.tool->receive(), Types{FrameType::kError});
  EXPECT_EQ(w.tool->last.sequence, 77U);
  EXPECT_EQ(w.router.channels(), kToolChannelsMax);
}

TEST(ToolSession, AnUpgradeWithoutAGatewaysIdIsForTheRelay) {
  ToolLink w;
  const auto ask = [&w](proto::ControlAction action) {
    std::string out;
    proto::encode(out, proto::Control{.request = 9, .action = action});
    w.tool->send(out);
    return w.tool->receive();
  };
  const std::size_t lines = w.watcher.lines.size();
  EXPECT_EQ(ask(proto::ControlAction::kUpgrade), Types{FrameType::kControlled});
  ASSERT_EQ(w.watcher.lines.size(), lines + 1);
  EXPECT_EQ(w.watcher.lines.back(), "upgrade");
  EXPECT_EQ(ask(proto::ControlAction::kDrain), Types{FrameType::kError});
  EXPECT_EQ(w.watcher.lines.size(), lines + 1);
}

TEST(ToolSession, AnUpgradeWithAnIdIsPassedOn) {
  ToolLink w;
  RecordingLink gateway;
  w.connect(gateway, "1111");
  std::string out;
  proto::encode(
      out,
      proto::Control{.request = 9, .action = proto::ControlAction::kUpgrade, .gateway_id = "1111"});
  w.tool->send(out);
  EXPECT_EQ(w.tool->receive(), Types{FrameType::kControlled});
  ASSERT_EQ(gateway.controls.size(), 1U);
  EXPECT_EQ(gateway.controls[0].first, proto::ControlAction::kUpgrade);
}

TEST(ToolSession, DoesNotMakeRoomForItselfAmongTheChannels) {
  RouterOptions options;
  options.channels_max = 1;
  ToolLink w(options);
  {
    Link gateway(w);
    gateway.hello("1111");
    gateway.subscribe("lingering");
    std::string out;
    proto::encode(out, proto::Goodbye{proto::GoodbyeReason::kShuttingDown, ""});
    gateway.send(out);
  }
  w.tool->subscribe("other");
  EXPECT_EQ(w.tool->receive(), Types{FrameType::kError});
  w.tool->subscribe("lingering");
  EXPECT_TRUE(w.tool->receive().empty());
  EXPECT_EQ(w.router.channels(), 1U);
}

// ---- linger: what gateways want decides

TEST(ToolSession, AChannelThatOnlyAToolWantedEndsWithIt) {
  ToolLink w;
  w.tool->subscribe("c");
  w.router.subscribed("c", std::nullopt);
  w.router.tick();
  EXPECT_TRUE(w.broker.unsubscribes.empty());
  w.tool.reset();
  w.router.tick();
  EXPECT_EQ(w.broker.unsubscribes, std::vector<std::string>{"c"});
  EXPECT_EQ(w.router.channels(), 0U);
}

TEST(ToolSession, AToolNeitherShortensNorProlongsALingerTime) {
  ToolLink w;
  auto gateway = std::make_unique<Link>(w);
  gateway->hello("1111");
  gateway->subscribe("c");
  w.router.subscribed("c", std::nullopt);
  std::string out;
  proto::encode_unsubscribe(out, 1);
  gateway->send(out);  // the linger time begins
  w.time.advance(w.options.linger / 2);
  w.tool->subscribe("c");
  w.tool.reset();
  w.router.tick();
  EXPECT_TRUE(w.broker.unsubscribes.empty()) << "not shortened";
  w.time.advance(w.options.linger / 2);
  w.router.tick();
  EXPECT_EQ(w.broker.unsubscribes, std::vector<std::string>{"c"}) << "not prolonged";
}

TEST(ToolSession, AChannelStaysWhileAToolWatchesIt) {
  ToolLink w;
  {
    Link gateway(w);
    gateway.hello("1111");
    gateway.subscribe("c");
    w.router.subscribed("c", std::nullopt);
    w.tool->subscribe("c");
  }
  w.time.advance(3 * w.options.linger);
  w.router.tick();
  EXPECT_EQ(w.router.gateways(), 0U);
  EXPECT_TRUE(w.broker.unsubscribes.empty());
  w.tool.reset();
  w.router.tick();
  EXPECT_EQ(w.broker.unsubscribes, std::vector<std::string>{"c"});
}

// ---- requests

TEST(ToolSession, StatusIsAnsweredBeforeThePongBehindIt) {
  ToolLink w;
  std::string out;
  proto::encode(out, proto::Status{.request = 5, .channels_max = 1});
  proto::encode_ping(out, 6);
  w.tool->send(out, 7);
  EXPECT_EQ(w.tool->receive(), (Types{FrameType::kStatusReply, FrameType::kPong}));
  const auto json = nlohmann::json::parse(w.tool->bodies.at(w.tool->bodies.size() - 2));
  EXPECT_EQ(json["tools"]["connected"], 1);
}

TEST(ToolSession, WhatOnlyOneKindOfPeerSendsIsRefusedFromTheOther) {
  ToolLink w;
  std::string info;
  proto::encode(info, proto::GatewayInfo{});
  w.tool->send(info);
  EXPECT_EQ(w.tool->receive(), Types{FrameType::kError});
  Link gateway(w);
  gateway.hello("1111");
  (void)gateway.receive();
  std::string status;
  proto::encode(status, proto::Status{.request = 1});
  gateway.send(status);
  EXPECT_EQ(gateway.receive(), Types{FrameType::kError});
  EXPECT_EQ(gateway.session.end_reason(), ErrorReason::kMalformed);
}

std::string encoded(const proto::Control& control) {
  std::string out;
  proto::encode(out, control);
  return out;
}

TEST(ToolSession, AControlReachesTheGatewayAndIsConfirmed) {
  ToolLink w;
  Link gateway(w);
  gateway.hello("1111");
  (void)gateway.receive();
  w.tool->send(encoded({.request = 9,
                        .action = proto::ControlAction::kDrain,
                        .older_than_ms = 60000,
                        .gateway_id = "1111"}));
  EXPECT_EQ(w.tool->receive(), Types{FrameType::kControlled});
  EXPECT_EQ(gateway.receive(), Types{FrameType::kControl});
  EXPECT_EQ(gateway.bodies.back(), std::string("\x60\xea\0\0\0\0\0\0\0\0", 10));
}

TEST(ToolSession, AControlForNobodyIsRefused) {
  ToolLink w;
  w.tool->send(encoded({.request = 9, .action = proto::ControlAction::kDrain, .gateway_id = "7"}));
  EXPECT_EQ(w.tool->receive(), Types{FrameType::kError});
  EXPECT_EQ(w.tool->session.end_reason(), proto::ErrorReason{}) << "the link goes on";
  w.send_status(1);
  EXPECT_EQ(w.tool->receive(), Types{FrameType::kStatusReply});
}

TEST(ToolSession, OnlyToolsControlAndOnlyGatewaysMark) {
  ToolLink w;
  Link gateway(w);
  gateway.hello("1111");
  (void)gateway.receive();
  gateway.send(encoded({.request = 1, .action = proto::ControlAction::kDrain, .gateway_id = "1"}));
  EXPECT_EQ(gateway.receive(), Types{FrameType::kError});
  std::string mark;
  proto::encode(mark, proto::DrainMark{.set = true, .balancer = "::1"});
  w.tool->send(mark);
  EXPECT_EQ(w.tool->receive(), Types{FrameType::kError});
}

TEST(ToolSession, MarksAreConfirmedAndHandedToTheNextOfTheId) {
  RouterWorld w;
  std::string marks;
  proto::encode(marks, proto::DrainMark{.set = true, .balancer = "127.0.0.1"});
  proto::encode(marks, proto::DrainMark{.set = true, .balancer = "127.0.0.2"});
  proto::encode(marks, proto::DrainMark{.set = false, .balancer = "127.0.0.2"});
  {
    Link first(w);
    first.hello("1111");
    (void)first.receive();
    first.send(marks);
    const Types three(3, FrameType::kDrainMark);
    EXPECT_EQ(first.receive(), three);
  }
  EXPECT_EQ(std::count(w.watcher.lines.begin(), w.watcher.lines.end(), "marks"), 3);
  Link other(w);
  other.hello("2222");
  (void)other.receive();
  EXPECT_EQ(other.bodies.front().find("127.0.0.1"), std::string::npos);
  Link second(w);
  second.hello("1111");
  (void)second.receive();
  EXPECT_NE(second.bodies.front().find("127.0.0.1"), std::string::npos);
  EXPECT_EQ(second.bodies.front().find("127.0.0.2"), std::string::npos);
}

TEST(ToolSession, AToolThatAsksWithoutReadingIsEnded) {
  RouterOptions options;
  ToolLink w(options);
  for (int i = 0; i < 100000 && !w.tool->session.ending(); ++i) w.send_status(1);
  EXPECT_EQ(w.tool->session.end_reason(), ErrorReason::kOverrun);
}

TEST(ToolSession, AGatewaysInfoIsForgottenWithItsLink) {
  RouterWorld w;
  {
    Link first(w);
    first.hello("1111");
    std::string info;
    proto::encode(info, proto::GatewayInfo{proto::GatewayCondition::kReady, 5, 10});
    first.send(info);
    ASSERT_TRUE(w.router.gateway_table().at("1111")->info);
    EXPECT_EQ(w.router.gateway_table().at("1111")->info->clients, 5U);
  }
  Link second(w);
  second.hello("1111", w.router.instance(), 0);
  EXPECT_TRUE(second.session.resumed());
  EXPECT_FALSE(w.router.gateway_table().at("1111")->info);
}

}  // namespace
}  // namespace sluice::relay
