// GATEWAY_INFO: what the link tells of the gateway, and how seldom.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/limits.h"
#include "gateway/relay_link.h"
#include "proto/encoder.h"

namespace sluice::gateway {
namespace {

using proto::FrameType;
using proto::GatewayCondition;
using proto::GatewayInfo;

struct Deaf final : RelayLinkEvents {
  void link_state(bool) override {}
  void broker_state(bool, std::string_view) override {}
  void channel_message(std::uint32_t, const proto::Message&) override {}
  void channel_gap(std::uint32_t, const ChannelGap&) override {}
  void channel_subscribed(std::uint32_t, proto::Position, bool) override {}
  void channel_refused(std::uint32_t, std::string_view) override {}
  void published(const PublishOrigin&) override {}
  void publish_failed(const PublishOrigin&, proto::ErrorReason) override {}
  void relay_keeps(Duration ring_age, Duration linger) override {
    keeps.emplace_back(ring_age, linger);
  }
  std::vector<std::pair<Duration, Duration>> keeps;
};

struct InfoLink : ::testing::Test {
  void connect(const proto::Welcome& welcome = {.relay_instance = 7, .software = "r"}) {
    link.connected();
    (void)told();
    std::string in;
    proto::encode(in, welcome);
    const auto room = link.prepare();
    std::copy(in.begin(), in.end(), room.begin());
    ASSERT_TRUE(link.commit(in.size()));
  }
  /// The GATEWAY_INFOs that were written since the last call.
  std::vector<GatewayInfo> told() {
    proto::Decoder decoder;
    decoder.feed(proto::as_bytes(link.output()));
    link.sent(link.output().size());
    std::vector<GatewayInfo> out;
    for (;;) {
      const auto frame = decoder.next();
      EXPECT_TRUE(frame);
      if (!frame || !*frame) return out;
      if ((*frame)->header.type != FrameType::kGatewayInfo) continue;
      // An older relay skips it.
      EXPECT_NE((*frame)->header.flags & proto::kFlagSkippable, 0);
      out.push_back(proto::decode_gateway_info(**frame).value());
    }
  }
  void tick(Duration after = std::chrono::milliseconds(100)) {
    time.advance(after);
    ASSERT_TRUE(link.tick());
  }

  ManualTime time;
  Deaf events;
  RelayLink link{
      {.gateway_id = "1111", .publish_wait = {}, .publish_queue_bytes = 1000}, events, time};
  const GatewayInfo one{GatewayCondition::kReady, 1, 100};
  const GatewayInfo two{GatewayCondition::kReady, 2, 100};
  const GatewayInfo three{GatewayCondition::kDraining, 3, 100};
};

TEST_F(InfoLink, IsToldBehindWelcomeAndNotBefore) {
  link.inform(one);
  tick();
  EXPECT_TRUE(told().empty());
  connect();
  EXPECT_TRUE(told().empty());
  tick();
  EXPECT_EQ(told(), std::vector<GatewayInfo>{one});
}

TEST_F(InfoLink, IsToldWhenChangedAndAtMostOnceASecond) {
  connect();
  link.inform(one);
  tick();
  EXPECT_EQ(told(), std::vector<GatewayInfo>{one});
  tick(2 * kInfoInterval);
  EXPECT_TRUE(told().empty()) << "nothing has changed";
  link.inform(two);
  tick();
  EXPECT_EQ(told(), std::vector<GatewayInfo>{two});
  link.inform(one);
  tick(kInfoInterval / 2);
  link.inform(three);
  tick(kInfoInterval / 4);
  EXPECT_TRUE(told().empty()) << "too soon";
  tick(kInfoInterval / 4);
  EXPECT_EQ(told(), std::vector<GatewayInfo>{three}) << "the newest alone";
}

TEST_F(InfoLink, IsToldAgainOnANewConnection) {
  connect();
  link.inform(one);
  tick();
  EXPECT_EQ(told().size(), 1U);
  link.disconnected();
  tick();
  connect();
  tick();
  EXPECT_EQ(told(), std::vector<GatewayInfo>{one});
}

TEST_F(InfoLink, HearsHowLongTheRelayKeepsThings) {
  connect();
  EXPECT_TRUE(events.keeps.empty()) << "an older relay does not say it";
  link.disconnected();
  connect({.relay_instance = 7, .software = "r", .ring_age_ms = 1500, .linger_ms = 0});
  ASSERT_EQ(events.keeps.size(), 1U);
  EXPECT_EQ(events.keeps[0].first, std::chrono::milliseconds(1500));
  EXPECT_EQ(events.keeps[0].second, Duration::zero());
}

TEST_F(InfoLink, NothingIsToldThatNobodyHasSaid) {
  connect();
  tick();
  EXPECT_TRUE(told().empty());
}

}  // namespace
}  // namespace sluice::gateway
