// One entry a client on the wheel, whatever is set while it waits there.
#include "gateway/client_timers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/limits.h"
#include "gateway/protocols/plain.h"
#include "tests/support/frames.h"

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Writes down when it is called.
class DueProtocol final : public ClientProtocol {
 public:
  explicit DueProtocol(const TimeSource& time) : time_(time) {}
  [[nodiscard]] std::string_view name() const override { return "due"; }
  [[nodiscard]] EncodedMessage encode(const ChannelMessage&, std::string&) const override {
    return {};
  }
  void opened(ClientSession&, const UpgradeRequest&, ProtocolActions&) const override {}
  void received(ClientSession&, proto::Bytes, bool, ProtocolActions&) const override {}
  void due(ClientSession& session, ProtocolActions&) const override {
    called.push_back(time_.now());
    if (again > Duration::zero()) session.state.due_at = time_.now() + again;
  }
  void publish_failed(ClientSession&, const PublishFailure&, ProtocolActions&) const override {}
  void gap(ClientSession&, const ChannelGap&, ProtocolActions&) const override {}

  Duration again{};
  mutable std::vector<TimePoint> called;

 private:
  const TimeSource& time_;
};

class ClientTimersTest : public testing::Test, public HubObserver {
 protected:
  ClientTimersTest() {
    hub.attach(link);
    session.protocol = &protocol;
  }
  void link_state(bool) override {}
  void broker_state(bool, std::string_view) override {}
  void channel_gap(const ChannelGap&) override {}
  void channel_subscribed(std::string_view) override {}
  void channel_refused(std::string_view, std::string_view) override {}
  void message_given(std::uint32_t) override {}
  void due_sooner(ClientSession& of) override { timers.due_sooner(of); }

  void pass(Duration duration) {
    const TimePoint until = time.now() + duration;
    while (time.now() < until) {
      time.advance(kTimerTick);
      timers.advance(time.now());
    }
  }
  /// In milliseconds from `start`.
  [[nodiscard]] std::vector<long> calls(TimePoint start) const {
    std::vector<long> all;
    for (const TimePoint at : protocol.called)
      all.push_back(std::chrono::duration_cast<milliseconds>(at - start).count());
    return all;
  }

  ManualTime time;
  SeededRandom random{1};
  SessionTable sessions;
  GatewayStats stats;
  DueProtocol protocol{time};
  Sender sender{{.client_queue_bytes = 1U << 20U}, sessions, time};
  Hub hub{{.channels_max = 10}, sessions, sender, *this};
  RelayLink link{{.gateway_id = "g"}, hub, time};
  Departures departures{sessions};
  std::size_t served = 0;
  ClientTimers timers{{.ping_interval = seconds(25),
                       .pong_timeout = seconds(10),
                       .connection_age_max = {},
                       .served = [this](ClientSession&) { ++served; }},
                      sessions,
                      sender,
                      hub,
                      departures,
                      stats,
                      random,
                      time.now()};
  ClientSession& session = sessions.add();
};

TEST_F(ClientTimersTest, WhatIsDueSoonerIsLookedAtSooner) {
  const TimePoint start = time.now();
  session.state.due_at = start + seconds(20);
  timers.opened(session, start);
  pass(seconds(1));
  session.state.due_at = start + seconds(3);
  hub.changed(session);
  session.state.due_at = start + seconds(2);
  hub.changed(session);
  pass(seconds(10));
  EXPECT_EQ(calls(start).size(), 1U);
  EXPECT_GE(calls(start).at(0), 2000);
  EXPECT_LE(calls(start).at(0), 2200);
  EXPECT_EQ(served, 1U);
  pass(seconds(30));
  EXPECT_EQ(protocol.called.size(), 1U) << "entries that do not count any more";
}

TEST_F(ClientTimersTest, LaterIsSeenWhenItIsLookedAt) {
  const TimePoint start = time.now();
  session.state.due_at = start + seconds(2);
  timers.opened(session, start);
  session.state.due_at = start + seconds(5);
  hub.changed(session);
  pass(seconds(20));
  ASSERT_EQ(calls(start).size(), 1U);
  EXPECT_GE(calls(start).at(0), 5000);
}

TEST_F(ClientTimersTest, AProtocolThatPingsItselfGetsNoFrames) {
  session.state.protocol_pings = true;
  timers.opened(session, time.now());
  pass(seconds(120));
  EXPECT_EQ(stats.pings, 0U);
  EXPECT_TRUE(session.outbox.empty());
  // Nothing was due, so there was nothing on the wheel.
  const TimePoint start = time.now();
  protocol.again = seconds(1);
  session.state.due_at = start + seconds(1);
  hub.changed(session);
  pass(seconds(10));
  EXPECT_GE(protocol.called.size(), 8U);
  EXPECT_LE(protocol.called.size(), 10U);
  EXPECT_EQ(session.phase, SessionPhase::kOpen);
}

TEST_F(ClientTimersTest, OthersArePinged) {
  timers.opened(session, time.now());
  for (int i = 0; i < 50; ++i) {
    pass(seconds(1));
    timers.heard(session);
  }
  EXPECT_EQ(stats.pings, 2U);
  pass(seconds(50));
  EXPECT_EQ(session.phase, SessionPhase::kClosed) << "it does not answer";
}

TEST_F(ClientTimersTest, OneThatIsGoneIsPassedOver) {
  session.state.due_at = time.now() + seconds(1);
  timers.opened(session, time.now());
  sessions.remove(session.ref);
  ClientSession& next = sessions.add();
  next.protocol = &protocol;
  pass(seconds(5));
  EXPECT_TRUE(protocol.called.empty());
}

TEST_F(ClientTimersTest, BeforeItIsOpenedNothingIsScheduled) {
  session.state.due_at = time.now() + seconds(1);
  hub.changed(session);
  pass(seconds(5));
  EXPECT_TRUE(protocol.called.empty());
}

}  // namespace
}  // namespace sluice::gateway
