#include "gateway/sender.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "common/unique_fd.h"
#include "gateway/limits.h"
#include "proto/frame.h"

namespace sluice::gateway {
namespace {

struct HandClock final : TimeSource {
  [[nodiscard]] TimePoint now() const override { return at; }
  TimePoint at{std::chrono::hours(1)};
};

/// A session on one end of a socket pair; libwebsockets has no part in it.
class SenderTest : public ::testing::Test {
 protected:
  SenderTest()
      : sender_({.client_queue_bytes = 1U << 20U}, sessions_, clock_), session_(sessions_.add()) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ours_ = UniqueFd(ends[0]);
    client_ = UniqueFd(ends[1]);
    session_.fd = ours_.get();
  }
  static FrameRef text(std::string_view payload) {
    return FrameRun::make(Opcode::kText, {}, proto::as_bytes(payload));
  }
  /// Everything that has come; "<end>" where the stream ended.
  std::string received() {
    std::string all;
    char buffer[65536];
    ssize_t n = 0;
    while ((n = ::recv(client_.get(), buffer, sizeof buffer, 0)) > 0)
      all.append(buffer, static_cast<std::size_t>(n));
    if (n == 0) all += "<end>";
    return all;
  }

  HandClock clock_;
  SessionTable sessions_;
  Sender sender_;
  ClientSession& session_;
  UniqueFd ours_;
  UniqueFd client_;
};

const std::string kGoingAwayFrame(
    "\x88\x0A\x03\xE9"
    "draining",
    12);

TEST_F(SenderTest, AWakeUpLeavesInOneCall) {
  sender_.deliver(session_, text("a"));
  sender_.deliver(session_, text("b"));
  EXPECT_EQ(received(), "");
  sender_.flush(1000);
  EXPECT_EQ(received(),
            "\x81\x01"
            "a\x81\x01"
            "b");
  EXPECT_EQ(sender_.stats().sends, 1U);
  EXPECT_EQ(sender_.queued_bytes(), 0U);
}

TEST_F(SenderTest, OurCloseWaitsForTheClients) {
  sender_.deliver(session_, text("a"));
  sender_.close(session_, CloseCode::kGoingAway, "draining");
  sender_.close(session_, CloseCode::kPolicy, "too late");
  sender_.deliver(session_, text("not any more"));
  sender_.flush(1000);
  EXPECT_EQ(received(),
            "\x81\x01"
            "a" +
                kGoingAwayFrame);
  EXPECT_TRUE(session_.takes_messages());
  session_.peer_close_code = 1001;
  sender_.peer_ended(session_);
  EXPECT_EQ(received(), "<end>");
  EXPECT_EQ(session_.ended_by, CloseReason::kDrained);
  clock_.at += kLingerWait;
  sender_.expire_closing(clock_.at);
  EXPECT_EQ(session_.phase, SessionPhase::kClosed);
  clock_.at += kCloseWait;
  sender_.expire_closing(clock_.at);
  EXPECT_EQ(sender_.stats().cut_off, 0U);
  EXPECT_EQ(sender_.stats().dropped_closing, 1U);
}

TEST_F(SenderTest, AClientThatNeverAnswersIsCut) {
  sender_.close(session_, CloseCode::kGoingAway, "draining");
  sender_.flush(1000);
  clock_.at += kCloseWait;
  sender_.expire_closing(clock_.at);
  EXPECT_EQ(received(), kGoingAwayFrame + "<end>");
  EXPECT_EQ(sender_.stats().cut_off, 1U);
}

TEST_F(SenderTest, TheClientsCloseIsAnsweredWithItsCode) {
  sender_.deliver(session_, text("a"));
  session_.peer_close_code = 4321;
  sender_.peer_ended(session_);
  EXPECT_FALSE(session_.takes_messages());
  sender_.flush(1000);
  EXPECT_EQ(received(), std::string("\x81\x01"
                                    "a\x88\x02\x10\xE1",
                                    7) +
                            "<end>");
  EXPECT_EQ(session_.ended_by, CloseReason::kClientClosed);
}

TEST_F(SenderTest, ACloseWithoutACodeIsAnsweredWithoutOne) {
  sender_.peer_ended(session_);
  sender_.flush(1000);
  EXPECT_EQ(received(), std::string("\x88\x00", 2) + "<end>");
}

TEST_F(SenderTest, AFaultClosesWithoutWaiting) {
  sender_.close(session_, CloseCode::kProtocolError, "frame not masked");
  sender_.peer_ended(session_);
  sender_.flush(1000);
  EXPECT_EQ(received(), std::string("\x88\x12\x03\xEA"
                                    "frame not masked") +
                            "<end>");
  EXPECT_EQ(session_.ended_by, CloseReason::kProtocolError);
}

TEST_F(SenderTest, APartlySentFrameGoesOnWhereItStopped) {
  const int small = 4096;
  ASSERT_EQ(::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    const FrameRef frame = text(std::string(3000, static_cast<char>('a' + i)));
    expected += proto::as_text(frame->bytes());
    sender_.deliver(session_, frame);
  }
  sender_.close(session_, CloseCode::kGoingAway, "draining");
  sender_.flush(1000);
  std::string got;
  for (int i = 0; i < 1000 && got.size() < expected.size() + kGoingAwayFrame.size(); ++i) {
    got += received();
    sender_.writeable(session_);
    sender_.flush(1000);
  }
  EXPECT_EQ(got, expected + kGoingAwayFrame);
  EXPECT_GT(sender_.stats().partial_sends, 0U);
  EXPECT_EQ(sender_.queued_bytes(), 0U);
}

TEST_F(SenderTest, AtItsBoundAClientIsCut) {
  const FrameRef frame = text(std::string(100000, 'x'));
  for (int i = 0; i < 30; ++i) sender_.deliver(session_, frame);
  EXPECT_EQ(session_.phase, SessionPhase::kClosed);
  EXPECT_EQ(session_.ended_by, CloseReason::kTooSlow);
  EXPECT_EQ(sender_.stats().dropped_overflow, 1U);
}

TEST_F(SenderTest, ABrokenSocketIsLeftAlone) {
  client_ = UniqueFd();
  sender_.deliver(session_, text("a"));
  sender_.flush(1000);
  EXPECT_EQ(session_.phase, SessionPhase::kClosed);
  EXPECT_EQ(session_.ended_by, CloseReason::kClientGone);
}

}  // namespace
}  // namespace sluice::gateway
