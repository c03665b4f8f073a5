#include "gateway/sender.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

#include "common/unique_fd.h"
#include "gateway/limits.h"
#include "gateway/protocols/client_protocol.h"
#include "proto/frame.h"

namespace sluice::gateway {
namespace {

struct HandClock final : TimeSource {
  [[nodiscard]] TimePoint now() const override { return at; }
  TimePoint at{std::chrono::hours(1)};
};

constexpr std::size_t kClients = 600;

/// Sessions on one end of a socket pair each; libwebsockets has no part in it. Over each transport.
class SenderTest : public ::testing::TestWithParam<const char*> {
 protected:
  SenderTest()
      : sender_({.client_queue_bytes = 1U << 20U}, sessions_, clock_), session_(sessions_.add()) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ours_ = UniqueFd(ends[0]);
    client_ = UniqueFd(ends[1]);
    session_.fd = ours_.get();
  }
  void SetUp() override {
    if (GetParam() == std::string("io_uring")) {
      auto transport = make_uring_transport(kClients + 1);
      if (!transport) GTEST_SKIP() << transport.error().message;
      sender_.use(std::move(*transport));
    }
    EXPECT_EQ(sender_.transport().name(), GetParam());
    sender_.opened(session_);
  }
  /// Frames of a channel, handed over as the fan-out does.
  void give_due(ClientSession& session, const FrameRef& run) {
    given_.push_back(run);  // longer than the slice
    const RunView view{run.get(), 0, static_cast<std::uint32_t>(run->size()), 1};
    sender_.deliver_due(session, {&view, 1});
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

  std::vector<FrameRef> given_;
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

TEST_P(SenderTest, AWakeUpLeavesInOneCall) {
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

TEST_P(SenderTest, OurCloseWaitsForTheClients) {
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

/// Says everything in words of its own.
class OwnWords final : public ClientProtocol {
 public:
  std::string_view name() const override { return "own words"; }
  EncodedMessage encode(const ChannelMessage&, std::string&) const override { return {}; }
  void opened(ClientSession&, const UpgradeRequest&, ProtocolActions&) const override {}
  void received(ClientSession&, proto::Bytes, bool, ProtocolActions&) const override {}
  void due(ClientSession&, ProtocolActions&) const override {}
  void publish_failed(ClientSession&, const PublishFailure&, ProtocolActions&) const override {}
  void gap(ClientSession&, const ChannelGap&, ProtocolActions&) const override {}
  Farewell farewell(Farewell own, CloseReason counted) const override {
    EXPECT_EQ(own.code, CloseCode::kGoingAway);
    EXPECT_EQ(counted, CloseReason::kAged);
    return {CloseCode::kForceReconnect, "old"};
  }
};

TEST_P(SenderTest, AProtocolHasItsOwnWordsForTheEnd) {
  const OwnWords protocol;
  session_.protocol = &protocol;
  sender_.close_as(session_, CloseCode::kGoingAway, "connection age", CloseReason::kAged);
  sender_.flush(1000);
  EXPECT_EQ(received(),
            "\x88\x05\x0B\xC3"
            "old");
  EXPECT_EQ(session_.ended_by, CloseReason::kAged);
}

TEST_P(SenderTest, TheClientsOwnCloseIsNotPutIntoOtherWords) {
  const OwnWords protocol;
  session_.protocol = &protocol;
  session_.peer_close_code = 1001;
  sender_.peer_ended(session_);
  sender_.flush(1000);
  EXPECT_EQ(received(), std::string("\x88\x02\x03\xE9<end>"));
}

TEST_P(SenderTest, AClientThatNeverAnswersIsCut) {
  sender_.close(session_, CloseCode::kGoingAway, "draining");
  sender_.flush(1000);
  clock_.at += kCloseWait;
  sender_.expire_closing(clock_.at);
  EXPECT_EQ(received(), kGoingAwayFrame + "<end>");
  EXPECT_EQ(sender_.stats().cut_off, 1U);
}

TEST_P(SenderTest, TheClientsCloseIsAnsweredWithItsCode) {
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

TEST_P(SenderTest, ACloseWithoutACodeIsAnsweredWithoutOne) {
  sender_.peer_ended(session_);
  sender_.flush(1000);
  EXPECT_EQ(received(), std::string("\x88\x00", 2) + "<end>");
}

TEST_P(SenderTest, AFaultClosesWithoutWaiting) {
  sender_.close(session_, CloseCode::kProtocolError, "frame not masked");
  sender_.peer_ended(session_);
  sender_.flush(1000);
  EXPECT_EQ(received(), std::string("\x88\x12\x03\xEA"
                                    "frame not masked") +
                            "<end>");
  EXPECT_EQ(session_.ended_by, CloseReason::kProtocolError);
}

TEST_P(SenderTest, APartlySentFrameGoesOnWhereItStopped) {
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

TEST_P(SenderTest, AtItsBoundAClientIsCut) {
  const FrameRef frame = text(std::string(100000, 'x'));
  for (int i = 0; i < 30; ++i) sender_.deliver(session_, frame);
  EXPECT_EQ(session_.phase, SessionPhase::kClosed);
  EXPECT_EQ(session_.ended_by, CloseReason::kTooSlow);
  EXPECT_EQ(sender_.stats().dropped_overflow, 1U);
}

TEST_P(SenderTest, ABrokenSocketIsLeftAlone) {
  client_ = UniqueFd();
  sender_.deliver(session_, text("a"));
  sender_.flush(1000);
  EXPECT_EQ(session_.phase, SessionPhase::kClosed);
  EXPECT_EQ(session_.ended_by, CloseReason::kClientGone);
}

TEST_P(SenderTest, WhatTheFanOutGivesComesBehindWhatWaits) {
  sender_.deliver(session_, text("own"));
  give_due(session_, text("channel"));
  sender_.end_slice();
  sender_.flush(1000);
  EXPECT_EQ(received(),
            "\x81\x03own"
            "\x81\x07"
            "channel");
  give_due(session_, text("1"));
  give_due(session_, text("2"));
  sender_.end_slice();
  EXPECT_EQ(received(),
            "\x81\x01"
            "1\x81\x01"
            "2");
  EXPECT_EQ(sender_.queued_bytes(), 0U);
  EXPECT_EQ(sender_.stats().frames_out, 4U);
}

/// The socket takes a part of what the fan-out gives; the rest is kept, in its place, and the run
/// may go.
TEST_P(SenderTest, TheRestOfARunIsKept) {
  const int small = 4096;
  ASSERT_EQ(::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    const FrameRef run = text(std::string(30000, static_cast<char>('a' + i)));
    expected += proto::as_text(run->bytes());
    give_due(session_, run);
    sender_.end_slice();
  }
  sender_.deliver(session_, text("own"));
  expected += "\x81\x03own";
  std::string got;
  for (int i = 0; i < 1000 && got.size() < expected.size(); ++i) {
    got += received();
    sender_.writeable(session_);
    sender_.flush(1000);
  }
  EXPECT_EQ(got, expected);
  EXPECT_GT(sender_.stats().partial_sends, 0U);
  EXPECT_EQ(sender_.queued_bytes(), 0U);
}

TEST_P(SenderTest, ManyPiecesForOneClientStayInOrder) {
  std::vector<FrameRef> runs;
  std::vector<RunView> views;
  std::string expected;
  for (std::size_t i = 0; i < 5 * kFramesPerSend + 3; ++i) {
    runs.push_back(text(std::to_string(i)));
    expected += proto::as_text(runs.back()->bytes());
    views.push_back({runs.back().get(), 0, static_cast<std::uint32_t>(runs.back()->size()), 1});
  }
  sender_.deliver_due(session_, views);
  sender_.end_slice();
  sender_.flush(1000);
  EXPECT_EQ(received(), expected);
}

TEST_P(SenderTest, AClientThatTakesTooLittleIsCutAndOthersGetEverything) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  UniqueFd slow(ends[0]);
  const UniqueFd silent(ends[1]);
  ClientSession& other = sessions_.add();
  other.fd = slow.get();
  sender_.opened(other);
  std::size_t got = 0;
  const FrameRef run = text(std::string(50000, 'x'));
  for (int i = 0; i < 60; ++i) {
    give_due(other, run);
    give_due(session_, run);
    sender_.end_slice();
    got += received().size();
  }
  EXPECT_EQ(got, 60 * run->size());
  EXPECT_EQ(other.ended_by, CloseReason::kTooSlow);
  EXPECT_EQ(other.phase, SessionPhase::kClosed);
  EXPECT_EQ(session_.phase, SessionPhase::kOpen);
  EXPECT_GT(sender_.stats().dropped_overflow, 0U);
  EXPECT_LE(other.outbox.bytes(), (1U << 20U) + 2 * run->size());
}

/// More clients than a batch holds; some gone, whose slots others have by then.
TEST_P(SenderTest, ManyClientsThatComeAndGo) {
  struct Client {
    ClientSession* session;
    UniqueFd ours;
    UniqueFd theirs;
  };
  std::vector<Client> clients;
  const auto open = [&] {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    clients.push_back({&sessions_.add(), UniqueFd(ends[0]), UniqueFd(ends[1])});
    clients.back().session->fd = ends[0];
    sender_.opened(*clients.back().session);
  };
  const auto read_all = [](const Client& client) {
    char buffer[4096];
    const ssize_t n = ::recv(client.theirs.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return std::string(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
  };
  while (clients.size() < kClients) open();
  for (int round = 0; round < 5; ++round) {
    const FrameRef run = text("round " + std::to_string(round));
    for (const Client& client : clients) give_due(*client.session, run);
    sender_.end_slice();
    for (const Client& client : clients) ASSERT_EQ(read_all(client), proto::as_text(run->bytes()));
    // A third goes; its sockets must end at once, whoever else had a hand on them.
    for (std::size_t i = 0; i < clients.size(); i += 3) {
      Client& client = clients[i];
      sender_.forget(*client.session);
      sessions_.remove(client.session->ref);
      client.ours = UniqueFd();
      char byte = 0;
      ASSERT_EQ(::recv(client.theirs.get(), &byte, 1, 0), 0);
    }
    std::size_t n = 0;
    std::erase_if(clients, [&](const Client&) { return n++ % 3 == 0; });
    while (clients.size() < kClients) open();
  }
}

INSTANTIATE_TEST_SUITE_P(Over, SenderTest, ::testing::Values("send", "io_uring"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace sluice::gateway
