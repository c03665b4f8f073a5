// A link's state from program to program, at any byte of either direction.
#include <gtest/gtest.h>

#include <string>

#include "relay/handover/link_state.h"
#include "relay/handover/router_codec.h"
#include "relay/limits.h"
#include "tests/unit/relay/handover_samples.h"
#include "tests/unit/relay/session_link.h"

namespace sluice::relay::test {
namespace {

using proto::FrameType;
using Types = std::vector<FrameType>;

LinkState over(const LinkState& link) {
  const std::string bytes = written([&link](StateWriter& out) { write(out, link); });
  StateReader reader(proto::as_bytes(bytes));
  LinkState read = read_link(reader);
  reader.must_end();
  EXPECT_TRUE(reader.good()) << reader.error();
  return read;
}

struct NextHost final : SessionHost {
  void wake() override {}
};

TEST(HandoverLink, AFrameThatIsNotWholeGoesOn) {
  std::string frame;
  proto::Subscribe subscribe;
  subscribe.request = 5;
  subscribe.channel = "news";
  proto::encode(frame, subscribe);
  for (std::size_t cut = 0; cut < frame.size(); ++cut) {
    RouterWorld world;
    auto link = std::make_unique<Link>(world);
    link->hello("1111");
    (void)link->receive();
    link->send(frame.substr(0, cut));
    const LinkState state = over({.session = link->session.state()});
    const std::string router =
        written([&](StateWriter& out) { RouterCodec::write(out, world.router); });
    RouterWorld next;
    StateReader reader(proto::as_bytes(router));
    (void)RouterCodec::read(reader, next.router);
    ASSERT_TRUE(reader.good()) << reader.error();
    NextHost host;
    GatewaySession session(next.router, host, 1, state.session);
    const auto room = session.prepare();
    std::copy(frame.begin() + static_cast<std::ptrdiff_t>(cut), frame.end(), room.begin());
    session.commit(frame.size() - cut);
    EXPECT_EQ(next.broker.subscribes, std::vector<std::string>{"news"}) << cut;
    EXPECT_EQ(session.gateway_id(), "1111");
    EXPECT_FALSE(session.ending());
  }
}

TEST(HandoverLink, ALongGreetingThatWaitsIsNoOverrun) {
  RouterWorld world;
  Link link(world);
  link.hello("1111");
  (void)link.receive();
  LinkState state = over({.session = link.session.state()});
  state.session.control.assign(kControlBytesMax + 1000, 'x');
  const std::string router =
      written([&](StateWriter& out) { RouterCodec::write(out, world.router); });
  RouterWorld next;
  StateReader reader(proto::as_bytes(router));
  (void)RouterCodec::read(reader, next.router);
  NextHost host;
  GatewaySession session(next.router, host, 1, over(state).session);
  std::string ping;
  proto::encode_ping(ping, 77);
  const auto room = session.prepare();
  std::copy(ping.begin(), ping.end(), room.begin());
  session.commit(ping.size());
  EXPECT_FALSE(session.ending()) << session.end_text();
}

TEST(HandoverLink, AnswersThatWaitAreSaid) {
  RouterWorld world;
  Link link(world);
  link.hello("1111");
  std::string ping;
  proto::encode_ping(ping, 77);
  link.send(ping);
  const LinkState state = over({.descriptor = 7,
                                .peer = 8,
                                .opened_at = world.time.now(),
                                .told_open = true,
                                .unsent = "rest",
                                .session = link.session.state()});
  EXPECT_EQ(state.descriptor, 7);
  EXPECT_EQ(state.peer, 8);
  EXPECT_EQ(state.unsent, "rest");
  EXPECT_EQ(state.opened_at, world.time.now());
  EXPECT_FALSE(state.ending_since);
  EXPECT_TRUE(state.told_open);
  EXPECT_EQ(state.session.control, link.session.state().control);
  EXPECT_EQ(state.session.software, "test");
  EXPECT_EQ(link.receive(),
            (Types{FrameType::kWelcome, FrameType::kBrokerState, FrameType::kPong}));
}

TEST(HandoverLink, CutShortItIsRefused) {
  const LinkState link{.unsent = "abc", .session = {.gateway_id = "1", .unsubscribed = {{1, 2}}}};
  const std::string bytes = written([&link](StateWriter& out) { write(out, link); });
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    StateReader reader(proto::as_bytes(std::string_view(bytes).substr(0, n)));
    (void)read_link(reader);
    EXPECT_FALSE(reader.good()) << n;
  }
}

}  // namespace
}  // namespace sluice::relay::test
