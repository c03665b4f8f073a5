// DRAIN_MARK and CONTROL on the gateway's side of the link.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/limits.h"
#include "gateway/relay_link.h"
#include "proto/encoder.h"

namespace sluice::gateway {
namespace {

using Lines = std::vector<std::string>;

struct Events final : RelayLinkEvents {
  Lines lines;
  void link_state(bool up) override { lines.emplace_back(up ? "up" : "down"); }
  void broker_state(bool, std::string_view) override {}
  void channel_message(std::uint32_t, const proto::Message&) override {}
  void channel_gap(std::uint32_t, const ChannelGap&) override {}
  void channel_subscribed(std::uint32_t, proto::Position, bool) override {}
  void channel_refused(std::uint32_t, std::string_view) override {}
  void published(const PublishOrigin&) override {}
  void publish_failed(const PublishOrigin&, proto::ErrorReason) override {}
  void drain_marks(const std::vector<std::string_view>& marks) override {
    std::string line = "marks";
    for (const std::string_view mark : marks) line += " " + std::string(mark);
    lines.push_back(line);
  }
  void drain_mark_kept(std::string_view b) override { lines.push_back("kept " + std::string(b)); }
  void control(const proto::Control& c) override {
    lines.push_back("control " + std::to_string(static_cast<int>(c.action)) + " " +
                    std::to_string(c.older_than_ms));
  }
};

struct MarksLink : ::testing::Test {
  template <typename T>
  bool receive(const T& frame) {
    std::string in;
    proto::encode(in, frame);
    const auto room = link.prepare();
    std::copy(in.begin(), in.end(), room.begin());
    return link.commit(in.size()).has_value();
  }
  void connect(std::vector<std::string_view> marks = {}) {
    link.connected();
    (void)told();
    ASSERT_TRUE(
        receive(proto::Welcome{.relay_instance = 7, .software = "r", .drained = std::move(marks)}));
  }
  /// "+balancer" or "-balancer", as written since the last call.
  Lines told() {
    proto::Decoder decoder;
    decoder.feed(proto::as_bytes(link.output()));
    link.sent(link.output().size());
    Lines out;
    while (const auto frame = decoder.next().value()) {
      if (frame->header.type != proto::FrameType::kDrainMark) continue;
      const auto mark = proto::decode_drain_mark(*frame).value();
      out.push_back((mark.set ? "+" : "-") + std::string(mark.balancer));
    }
    return out;
  }

  ManualTime time;
  Events events;
  RelayLink link{
      {.gateway_id = "1111", .publish_wait = std::chrono::seconds(5), .publish_queue_bytes = 1024},
      events,
      time};
};

TEST_F(MarksLink, WhatThePredecessorMarkedComesBeforeTheLinkIsUp) {
  connect({"a", "b"});
  EXPECT_EQ(events.lines, (Lines{"marks a b", "up"}));
}

TEST_F(MarksLink, AMarkIsToldUntilItIsAnswered) {
  connect();
  link.mark_drained("a");
  EXPECT_EQ(told(), Lines{"+a"});
  link.disconnected();
  connect();
  EXPECT_EQ(told(), Lines{"+a"}) << "the answer may have been lost";
  ASSERT_TRUE(receive(proto::DrainMark{.set = true, .balancer = "a"}));
  EXPECT_EQ(events.lines.back(), "kept a");
  link.disconnected();
  connect();
  EXPECT_EQ(told(), Lines{});
}

TEST_F(MarksLink, WhatIsTakenBackMeanwhileIsNotConfirmed) {
  connect();
  link.mark_drained("a");
  link.clear_drained("a");
  ASSERT_TRUE(receive(proto::DrainMark{.set = true, .balancer = "a"}));
  EXPECT_EQ(events.lines, (Lines{"marks", "up"}));
  link.disconnected();
  connect();
  EXPECT_EQ(told(), Lines{"-a"});
}

TEST_F(MarksLink, ToldWhenTheRelayComes) {
  link.mark_drained("a");
  connect();
  EXPECT_EQ(told(), Lines{"+a"});
}

TEST_F(MarksLink, UnansweredMarksAreBounded) {
  for (std::size_t i = 0; i < 2 * kMarksUnansweredMax; ++i)
    link.mark_drained("b" + std::to_string(i));
  connect();
  EXPECT_EQ(told().size(), kMarksUnansweredMax);
}

TEST_F(MarksLink, AnOperatorsWishIsPassedOn) {
  connect();
  ASSERT_TRUE(
      receive(proto::Control{.action = proto::ControlAction::kDrain, .older_than_ms = 5000}));
  EXPECT_EQ(events.lines.back(), "control 1 5000");
  ASSERT_TRUE(receive(proto::Control{.action = static_cast<proto::ControlAction>(77)}));
  EXPECT_EQ(events.lines.back(), "control 77 0");
}

}  // namespace
}  // namespace sluice::gateway
