#include "relay/gateway_session.h"

#include <gtest/gtest.h>

#include <array>

#include "proto/encoder.h"
#include "relay/limits.h"
#include "tests/unit/relay/session_link.h"

namespace sluice::relay {
namespace {

using namespace test;
using proto::ErrorReason;
using proto::FrameType;

using Types = std::vector<FrameType>;

struct OpenLink : RouterWorld {
  OpenLink() {
    router.broker_connected();
    link.hello("1111");
    EXPECT_EQ(link.receive(), (Types{FrameType::kWelcome, FrameType::kBrokerState}));
  }
  Link link{*this};
};

TEST(GatewaySession, GreetsAndSubscribes) {
  OpenLink w;
  EXPECT_TRUE(w.link.session.open());
  EXPECT_EQ(w.link.session.gateway_id(), "1111");
  w.link.subscribe("livechat", 8);
  EXPECT_TRUE(w.link.receive().empty());
  w.router.subscribed("livechat", std::nullopt);
  EXPECT_EQ(w.link.receive(), Types{FrameType::kSubscribed});
  EXPECT_EQ(w.link.last.sequence, 8U);
  w.deliver("livechat", "hello");
  EXPECT_EQ(w.link.receive(), Types{FrameType::kMessage});
  EXPECT_EQ(w.link.last.channel, 1U);
  EXPECT_EQ(w.link.last.sequence, 1U);
  EXPECT_EQ(w.link.last.aux, wire_micros(w.time.now()));
  EXPECT_EQ(w.link.bodies.back(), "hello");
}

TEST(GatewaySession, TakesItsInputAtAnySplit) {
  std::string bytes;
  proto::encode(bytes, proto::Hello{.gateway_id = "1111", .software = "test"});
  proto::Publish p;
  p.acknowledge = true;
  p.channel = "c";
  p.payload = proto::as_bytes("payload");
  proto::encode(bytes, p);
  for (std::size_t chunk = 1; chunk < bytes.size(); ++chunk) {
    RouterWorld w;
    Link link(w);
    link.send(bytes, chunk);
    ASSERT_EQ(w.broker.payloads(), std::vector<std::string>{"payload"});
  }
}

TEST(GatewaySession, FramesStayWholeAtAnyPartialWrite) {
  for (std::size_t bytes = 1; bytes < 40; ++bytes) {
    OpenLink w;
    w.link.subscribe("c");
    w.router.subscribed("c", std::nullopt);
    for (int i = 0; i < 10; ++i) w.deliver("c", std::string(i, 'x'));
    Types expected{FrameType::kSubscribed};
    expected.insert(expected.end(), 10, FrameType::kMessage);
    ASSERT_EQ(w.link.receive(bytes), expected);
    EXPECT_EQ(w.link.bodies.back(), std::string(9, 'x'));
  }
}

TEST(GatewaySession, UnsubscribedComesBehindTheLastMessageOfItsId) {
  OpenLink w;
  w.link.subscribe("c");
  w.router.subscribed("c", std::nullopt);
  w.deliver("c", "1");
  w.deliver("c", "2");
  std::string out;
  proto::encode_unsubscribe(out, 1);
  w.link.send(out);
  w.deliver("c", "3");
  EXPECT_EQ(w.link.receive(), (Types{FrameType::kSubscribed, FrameType::kMessage,
                                     FrameType::kMessage, FrameType::kUnsubscribed}));
}

TEST(GatewaySession, AnswersPing) {
  OpenLink w;
  std::string out;
  proto::encode_ping(out, 99);
  w.link.send(out);
  EXPECT_EQ(w.link.receive(), Types{FrameType::kPong});
  EXPECT_EQ(w.link.last.sequence, 99U);
}

TEST(GatewaySession, AcknowledgesPublishes) {
  OpenLink w;
  std::string out;
  proto::Publish p;
  p.request = 5;
  p.acknowledge = true;
  p.channel = "c";
  proto::encode(out, p);
  w.link.send(out);
  w.router.published(w.broker.publishes.at(0).id, PublishOutcome::kPublished, {});
  EXPECT_EQ(w.link.receive(), Types{FrameType::kPublished});
  EXPECT_EQ(w.link.last.sequence, 5U);
}

TEST(GatewaySession, RefusesBadLinks) {
  const auto refused_with = [](RouterWorld& w, auto&& send) {
    Link link(w);
    send(link);
    EXPECT_TRUE(link.session.ending());
    EXPECT_EQ(link.receive(), Types{FrameType::kError});
    EXPECT_EQ(link.last.sequence, 0U);
    return static_cast<ErrorReason>(link.last.aux);
  };
  OpenLink w;
  EXPECT_EQ(refused_with(w, [](Link& l) { l.hello("1111"); }), ErrorReason::kIdInUse);
  EXPECT_EQ(refused_with(w, [](Link& l) { l.hello("a b"); }), ErrorReason::kBadId);
  EXPECT_EQ(refused_with(w, [](Link& l) { l.subscribe("c"); }), ErrorReason::kMalformed);
  EXPECT_EQ(refused_with(w, [](Link& l) { l.send(std::string(64, '\x7F')); }),
            ErrorReason::kMalformed);
  EXPECT_EQ(refused_with(w,
                         [](Link& l) {
                           std::string out;
                           proto::encode(out, proto::Hello{.version_min = 90,
                                                           .version_max = 91,
                                                           .gateway_id = "x",
                                                           .software = ""});
                           l.send(out);
                         }),
            ErrorReason::kUnsupportedVersion);
  EXPECT_EQ(refused_with(w,
                         [](Link& l) {
                           l.hello("2222");
                           (void)l.receive();
                           l.hello("2222");
                         }),
            ErrorReason::kMalformed);
  EXPECT_EQ(w.router.links(), 1U);
}

TEST(GatewaySession, AGatewayThatAsksWithoutReadingIsEnded) {
  OpenLink w;
  std::string pings;
  for (int i = 0; i < 1000; ++i) proto::encode_ping(pings, 1);
  for (int i = 0; i < 100 && !w.link.session.ending(); ++i) w.link.send(pings);
  EXPECT_TRUE(w.link.session.ending());
  EXPECT_EQ(w.link.session.end_reason(), ErrorReason::kOverrun);
  EXPECT_EQ(w.link.receive(), Types{FrameType::kError});
}

TEST(GatewaySession, ResumesWithWhatWasMissed) {
  RouterWorld w;
  w.router.broker_connected();
  {
    Link first(w);
    first.hello("1111");
    first.subscribe("c");
    w.router.subscribed("c", std::nullopt);
    w.deliver("c", "1");
    (void)first.receive();
  }
  EXPECT_EQ(w.router.links(), 0U);
  w.deliver("c", "2");
  Link second(w);
  second.hello("1111", w.router.instance(), 1);
  EXPECT_TRUE(second.session.resumed());
  EXPECT_EQ(second.receive(),
            (Types{FrameType::kWelcome, FrameType::kBrokerState, FrameType::kMessage}));
  EXPECT_EQ(second.last.sequence, 2U);
}

std::string forgotten(std::uint64_t instance, std::uint64_t last) {
  std::string out;
  proto::encode(out, proto::Hello{.resume = true,
                                  .forgotten = true,
                                  .last_sequence = last,
                                  .relay_instance = instance,
                                  .gateway_id = "1111",
                                  .software = "test"});
  return out;
}

TEST(GatewaySession, WhoHasForgottenIsToldAllBetweenWelcomeAndBrokerState) {
  RouterWorld w;
  w.router.broker_connected();
  {
    Link first(w);
    first.hello("1111");
    first.subscribe("c");
    w.router.subscribed("c", std::nullopt);
    w.deliver("c", "1");
    w.deliver("c", "2");
  }
  Link second(w);
  second.send(forgotten(w.router.instance(), 1));
  EXPECT_EQ(second.receive(), (Types{FrameType::kWelcome, FrameType::kSubscribed,
                                     FrameType::kBrokerState, FrameType::kMessage}));
  Link other(w);
  std::string out = forgotten(w.router.instance() + 1, 1);
  out.replace(out.find("1111"), 4, "2222");
  other.send(out);
  EXPECT_EQ(other.receive(), (Types{FrameType::kWelcome, FrameType::kBrokerState}));
  EXPECT_FALSE(other.session.resumed());
}

TEST(GatewaySession, WhatIsToldUnaskedIsNoOverrun) {
  RouterWorld w;
  w.router.broker_connected();
  const std::string name(proto::kChannelNameBytesMax - 5, 'n');
  const std::size_t channels = kControlBytesMax / name.size() + 100;
  {
    Link first(w);
    first.hello("1111");
    for (std::size_t i = 0; i < channels; ++i) {
      const std::string channel = name + std::to_string(i);
      first.subscribe(channel);
      w.router.subscribed(channel, std::nullopt);
      (void)first.receive();
    }
  }
  Link second(w);
  second.send(forgotten(w.router.instance(), 0));
  EXPECT_FALSE(second.session.ending());
  EXPECT_EQ(second.receive().size(), channels + 2);
  // And what it asks later is bounded as ever.
  std::string ping;
  proto::encode_ping(ping, 1);
  for (std::size_t i = 0; i <= kControlBytesMax / proto::kHeaderBytes; ++i) second.send(ping);
  EXPECT_EQ(second.session.end_reason(), ErrorReason::kOverrun);
}

TEST(GatewaySession, AfterAResumeNoMessageComesBeforeItsSubscribed) {
  RouterWorld w;
  w.router.broker_connected();
  constexpr int kChannels = 3 * kBatchSharedBodiesMax;
  const std::string large(kCopiedBodyBytesMax + 1, 'm');
  {
    Link first(w);
    first.hello("1111");
    for (int i = 0; i < kChannels; ++i) first.subscribe("c" + std::to_string(i));
  }
  for (int i = 0; i < kChannels; ++i) {
    w.router.subscribed("c" + std::to_string(i), std::nullopt);
    w.deliver("c" + std::to_string(i), large);
  }
  /// Writes at each chance, as a connection does when a batch is full.
  struct EagerLink final : SessionHost {
    explicit EagerLink(RouterWorld& world) : session(world.router, *this) {}
    void wake() override {
      OutputBatch batch;
      while (session.fill(batch)) {
        std::array<iovec, kBatchPiecesMax> pieces;
        const std::size_t count = batch.pieces(pieces);
        for (std::size_t i = 0; i < count; ++i) {
          decoder.feed({static_cast<const std::uint8_t*>(pieces[i].iov_base), pieces[i].iov_len});
        }
        batch.consume(batch.bytes());
      }
    }
    proto::Decoder decoder;
    GatewaySession session;
  } second(w);
  std::string out;
  proto::encode(out, proto::Hello{.resume = true,
                                  .relay_instance = w.router.instance(),
                                  .gateway_id = "1111",
                                  .software = ""});
  std::copy(out.begin(), out.end(), second.session.prepare().begin());
  second.session.commit(out.size());
  int told = 0;
  int messages = 0;
  for (auto frame = second.decoder.next(); frame && *frame; frame = second.decoder.next()) {
    if ((*frame)->header.type == FrameType::kSubscribed) ++told;
    if ((*frame)->header.type != FrameType::kMessage) continue;
    EXPECT_EQ(told, kChannels);
    ++messages;
  }
  EXPECT_EQ(messages, kChannels);
}

TEST(GatewaySession, ReservedNamesAreRefusedAndInternalOnesAreNot) {
  OpenLink w;
  w.link.subscribe("sluice:{a}", 5);
  std::string out;
  proto::Publish publish;
  publish.request = 6;
  publish.acknowledge = true;
  publish.channel = "sluice:{a}";
  proto::encode(out, publish);
  publish.acknowledge = false;
  proto::encode(out, publish);
  w.link.send(out);
  EXPECT_EQ(w.link.receive(), (Types{FrameType::kError, FrameType::kError}));
  EXPECT_TRUE(w.broker.subscribes.empty());
  EXPECT_TRUE(w.broker.publishes.empty());
  EXPECT_FALSE(w.link.session.ending());
  w.link.subscribe(
      "\x01"
      "control");
  EXPECT_EQ(w.broker.subscribes.size(), 1U);
}

TEST(GatewaySession, FinishesWithWhatIsQueuedThenGoodbye) {
  OpenLink w;
  w.link.subscribe("c");
  w.router.subscribed("c", std::nullopt);
  w.deliver("c", "1");
  EXPECT_FALSE(w.link.session.idle());
  w.link.session.finish("bye");
  EXPECT_EQ(w.link.receive(),
            (Types{FrameType::kSubscribed, FrameType::kMessage, FrameType::kGoodbye}));
  EXPECT_TRUE(w.link.session.ending());
}

TEST(GatewaySession, AGatewayThatSaysGoodbyeIsForgotten) {
  RouterWorld w;
  {
    Link link(w);
    link.hello("1111");
    std::string out;
    proto::encode(out, proto::Goodbye{proto::GoodbyeReason::kShuttingDown, "drained"});
    link.send(out);
    EXPECT_TRUE(link.session.ending());
    EXPECT_TRUE(link.receive().empty());
  }
  EXPECT_EQ(w.router.gateways(), 0U);
}

}  // namespace
}  // namespace sluice::relay
