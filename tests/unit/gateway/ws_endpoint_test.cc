// The real libwebsockets on the real loop, clients on the other end of socket pairs.
#include "gateway/ws_endpoint.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <deque>

#include "gateway/event_loop.h"
#include "gateway/handoff/resume_bytes.h"
#include "gateway/handoff/scanner_image.h"
#include "gateway/limits.h"
#include "tests/unit/gateway/cut_streams.h"

namespace sluice::gateway {
namespace {

using test::client_frame;
using test::ClientMessage;

constexpr Duration kPatience = std::chrono::seconds(20);

struct SocketPair {
  SocketPair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours = UniqueFd(ends[0]);
    client = UniqueFd(ends[1]);
  }
  void send(std::string_view bytes) const {
    EXPECT_EQ(::write(client.get(), bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  /// What has come; "<end>" where the stream ended.
  [[nodiscard]] std::string received() const {
    std::array<char, 4096> buffer;
    std::string all;
    ssize_t n = 0;
    while ((n = ::read(client.get(), buffer.data(), buffer.size())) > 0)
      all.append(buffer.data(), static_cast<std::size_t>(n));
    return n == 0 ? all + "<end>" : all;
  }
  UniqueFd ours;
  UniqueFd client;
};

/// What each session was told.
struct Heard {
  std::vector<ClientMessage> messages;
  std::vector<std::string> events;
  std::vector<std::uint64_t> worked_off;  ///< ClientSession::read at each
  std::vector<std::size_t> messages_then;
  std::size_t reads = 0;
  std::size_t reads_then = 0;  ///< at the last worked_off
  bool opened = false;
  bool closed = false;
};

class WsEndpointTest : public ::testing::Test, public EndpointEvents {
 protected:
  void SetUp() override {
    const auto started = endpoint_.start();
    ASSERT_TRUE(started) << started.error().message;
  }

  // EndpointEvents.
  void opened(ClientSession& session, const UpgradeRequest& /*request*/) override {
    heard(session).opened = true;
  }
  void fragment(ClientSession& session, const Fragment& fragment) override {
    InboundMessage& inbound = session.state.inbound;
    const Input input = add_fragment(inbound, fragment);
    if (input.verdict == InputVerdict::kMore) return;
    heard(session).messages.push_back({inbound.text, std::string(proto::as_text(input.message))});
    release_message(inbound);
  }
  void ping(ClientSession& session, proto::Bytes payload) override {
    heard(session).events.push_back("ping " + std::string(proto::as_text(payload)));
    sender_.deliver(session, FrameRun::make(Opcode::kPong, {}, payload));
  }
  void pong(ClientSession& session) override { heard(session).events.emplace_back("pong"); }
  void reading(ClientSession& session) override { ++heard(session).reads; }
  void worked_off(ClientSession& session) override {
    Heard& all = heard(session);
    all.reads_then = all.reads;
    all.worked_off.push_back(session.read);
    all.messages_then.push_back(all.messages.size());
  }
  void closed(ClientSession& session) override { heard(session).closed = true; }
  void never_opened(ClientRef /*ref*/, const ClientAddress& /*address*/) override {
    ++never_opened_;
  }

  Heard& heard(const ClientSession& session) { return heard_[session.ref.index]; }

  void turn() {
    loop_.run_once(false);
    endpoint_.settle();
    sender_.flush(1000);
  }
  /// Turns the loop until `done`; false: that took too long.
  template <typename Done>
  [[nodiscard]] bool until(Done done) {
    const TimePoint give_up = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      turn();
    }
    return true;
  }
  /// So many turns in which nothing comes: libwebsockets has nothing left to do.
  void quiet() {
    for (int i = 0; i < 10; ++i) turn();
  }

  /// What the old process left behind, which had read `stream`.
  static ResumedSession left_behind(const std::string& stream) {
    ResumedSession session;
    test::ScanEventList events;
    const auto data = test::read_data_stream(test::scan(session.state.scanner, stream, events));
    session.read = stream.size();
    session.state.inbound = {data.half.bytes, !data.half.bytes.empty(), data.half.text};
    session.state.connected_at = std::chrono::steady_clock::now();
    return session;
  }
  ClientSession* resume(SocketPair& pair, std::uint32_t index, ResumedSession&& session) {
    return endpoint_.resume(std::move(pair.ours), {index, 9}, std::move(session));
  }

  EventLoop loop_;
  SteadyTime time_;
  SeededRandom random_{1};
  SessionTable sessions_;
  Sender sender_{{.client_queue_bytes = 1U << 20U}, sessions_, time_};
  std::array<Heard, 256> heard_{};
  std::size_t never_opened_ = 0;
  WsEndpoint endpoint_{
      {.message_bytes_max = 1U << 20U}, loop_.raw(), sessions_, sender_, *this, time_, random_};
};

TEST_F(WsEndpointTest, GoesOnAtEveryByte) {
  for (const test::CutStream& stream : test::cut_streams()) {
    WsScanner undisturbed;
    test::ScanEventList all;
    const auto whole = test::read_data_stream(test::scan(undisturbed, stream.bytes, all)).messages;
    const std::size_t cuts = stream.bytes.size() + 1;
    ASSERT_LE(cuts, heard_.size());
    std::deque<SocketPair> pairs;
    for (std::size_t cut = 0; cut < cuts; ++cut) {
      SocketPair& pair = pairs.emplace_back();
      heard_[cut] = {};
      const std::string before = stream.bytes.substr(0, cut);
      WsScanner scanner;
      test::ScanEventList events;
      heard_[cut].messages = test::read_data_stream(test::scan(scanner, before, events)).messages;
      heard_[cut].events = events.all;
      const auto index = static_cast<std::uint32_t>(cut);
      ASSERT_NE(resume(pair, index, left_behind(before)), nullptr);
      pair.send(stream.bytes.substr(cut));
    }
    const auto all_there = [&] {
      for (std::size_t cut = 0; cut < cuts; ++cut) {
        const ClientSession* session = sessions_.at(cut);
        if (session == nullptr || session->read < stream.bytes.size() ||
            session->data_received < session->state.scanner.data_passed())
          return false;
      }
      return true;
    };
    ASSERT_TRUE(until(all_there)) << stream.name;
    quiet();
    for (std::size_t cut = 0; cut < cuts; ++cut) {
      SCOPED_TRACE(std::string(stream.name) + " cut at " + std::to_string(cut));
      EXPECT_EQ(heard_[cut].messages, whole);
      EXPECT_EQ(heard_[cut].events, all.all);
      EXPECT_FALSE(heard_[cut].opened);
      // Nothing but the answers to pings behind the cut.
      std::string pongs;
      WsScanner scanner;
      test::ScanEventList before;
      test::scan(scanner, stream.bytes.substr(0, cut), before);
      for (std::size_t i = before.all.size(); i < all.all.size(); ++i) {
        if (!all.all[i].starts_with("ping ")) continue;
        const std::string payload = all.all[i].substr(5);
        pongs += "\x8A" + std::string(1, static_cast<char>(payload.size())) + payload;
      }
      EXPECT_EQ(pairs[cut].received(), pongs);
      if (cut < stream.bytes.size()) {
        ASSERT_FALSE(heard_[cut].worked_off.empty());
        EXPECT_EQ(heard_[cut].worked_off.back(), stream.bytes.size());
        EXPECT_EQ(heard_[cut].messages_then.back(), whole.size());
      }
    }
    pairs.clear();
    ASSERT_TRUE(until([&] { return sessions_.size() == 0; }));
  }
}

TEST_F(WsEndpointTest, ALongMessageGoesOn) {
  const std::string payload(70000, 'x');
  const std::string stream = client_frame(0x82, payload);
  SocketPair pair;
  ASSERT_NE(resume(pair, 3, left_behind(stream.substr(0, 100))), nullptr);
  EXPECT_EQ(sessions_.find({3, 9}), sessions_.at(3));
  pair.send(stream.substr(100));
  ASSERT_TRUE(until([&] { return !heard_[3].messages.empty(); }));
  EXPECT_EQ(heard_[3].messages[0].bytes, payload);
  // Each read was worked off before the next, and the record never runs ahead of what was heard.
  const auto& reads = heard_[3].worked_off;
  ASSERT_GT(reads.size(), 1U);
  for (std::size_t i = 1; i < reads.size(); ++i) EXPECT_GT(reads[i], reads[i - 1]);
}

TEST_F(WsEndpointTest, NothingIsReadInAPause) {
  SocketPair pair;
  ASSERT_NE(resume(pair, 0, left_behind("")), nullptr);
  pair.send(client_frame(0x81, "one"));
  ASSERT_TRUE(until([&] { return heard_[0].messages.size() == 1; }));
  endpoint_.pause_reading(true);
  pair.send(client_frame(0x81, "two"));
  quiet();
  EXPECT_EQ(heard_[0].messages.size(), 1U);
  EXPECT_TRUE(endpoint_.all_worked_off());
  EXPECT_EQ(heard_[0].reads, heard_[0].reads_then);
  EXPECT_FALSE(heard_[0].closed);
  endpoint_.pause_reading(false);
  ASSERT_TRUE(until([&] { return heard_[0].messages.size() == 2; }));
}

TEST_F(WsEndpointTest, ReadsCountFromBehindTheHead) {
  SocketPair pair;
  UpgradeRequest request;
  request.sec_websocket_key = "dGhlIHNhbXBsZSBub25jZQ==";
  const std::string rest = client_frame(0x81, "early") + client_frame(0x82, "");
  endpoint_.adopt(std::move(pair.ours), request, {}, rest);
  ASSERT_TRUE(heard_[0].opened);
  EXPECT_EQ(sessions_.at(0)->read, rest.size());
  endpoint_.settle();
  EXPECT_TRUE(heard_[0].worked_off.empty());  // libwebsockets holds it back, and it is not lost
  EXPECT_FALSE(endpoint_.all_worked_off());
  ASSERT_TRUE(until([&] { return !heard_[0].worked_off.empty(); }));
  EXPECT_EQ(heard_[0].worked_off[0], rest.size());
  EXPECT_EQ(heard_[0].messages_then[0], 2U);
  EXPECT_TRUE(endpoint_.all_worked_off());
  pair.send(client_frame(0x81, "later"));
  ASSERT_TRUE(until([&] { return heard_[0].worked_off.size() == 2; }));
  EXPECT_EQ(heard_[0].worked_off[1], rest.size() + 11);
  EXPECT_EQ(heard_[0].messages_then[1], 3U);
  EXPECT_TRUE(pair.received().starts_with("HTTP/1.1 101 "));
}

TEST_F(WsEndpointTest, NamesTheSubprotocolThatWasChosen) {
  for (const char* name : {"", kCentrifugeJsonName, kCentrifugeProtobufName}) {
    SocketPair pair;
    UpgradeRequest request;
    request.sec_websocket_key = "dGhlIHNhbXBsZSBub25jZQ==";
    request.subprotocol = name;
    endpoint_.adopt(std::move(pair.ours), request, {}, {});
    std::string head;
    ASSERT_TRUE(until([&] {
      head += pair.received();
      return head.find("\r\n\r\n") != std::string::npos;
    }));
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101 ")) << head;
    const std::size_t at = head.find("Sec-WebSocket-Protocol: ");
    if (*name == '\0') {
      EXPECT_EQ(at, std::string::npos) << head;
    } else {
      ASSERT_NE(at, std::string::npos) << head;
      EXPECT_EQ(head.substr(at + 24, head.find('\r', at) - at - 24), name);
    }
  }
}

TEST_F(WsEndpointTest, OneReadAtATimeIsBeingWorkedOff) {
  std::array<SocketPair, 5> pairs;
  for (std::uint32_t i = 0; i < pairs.size(); ++i) {
    ASSERT_NE(resume(pairs[i], i, left_behind("")), nullptr);
    pairs[i].send(client_frame(0x81, "x"));
  }
  const auto pending = [&] {
    std::size_t n = 0;
    for (std::uint32_t i = 0; i < pairs.size(); ++i)
      if (sessions_.at(i)->read > 0 && heard_[i].worked_off.empty()) ++n;
    return n;
  };
  std::size_t pending_max = 0;
  const auto all_told = [&] {
    // Before the end of the turn: only what was read last waits.
    loop_.run_once(false);
    pending_max = std::max(pending_max, pending());
    endpoint_.settle();
    EXPECT_EQ(pending(), 0U);
    return std::all_of(heard_.begin(), heard_.begin() + pairs.size(),
                       [](const Heard& heard) { return !heard.messages.empty(); });
  };
  ASSERT_TRUE(until(all_told));
  EXPECT_EQ(pending_max, 1U);
}

TEST_F(WsEndpointTest, ACloseFrameThatWasReadIsAnswered) {
  SocketPair pair;
  ResumedSession session = left_behind(client_frame(0x88, "\x0F\xA1"));
  ASSERT_TRUE(session.state.scanner.ended());
  session.ending.peer_close_code = 4001;
  ASSERT_NE(resume(pair, 0, std::move(session)), nullptr);
  EXPECT_EQ(pair.received(), "");  // not by resuming
  std::string all;
  ASSERT_TRUE(until([&] { return (all += pair.received()).find("<end>") != std::string::npos; }));
  EXPECT_TRUE(all.starts_with("\x88\x02\x0F\xA1<end>"));
}

TEST_F(WsEndpointTest, AFaultThatWasSeenClosesTheClient) {
  SocketPair pair;
  ASSERT_NE(resume(pair, 0, left_behind(client_frame(0x81, "\xFF"))), nullptr);
  std::string all;
  ASSERT_TRUE(until([&] { return (all += pair.received()).find("<end>") != std::string::npos; }));
  EXPECT_TRUE(all.starts_with("\x88")) << all;
  EXPECT_EQ(all.substr(2, 2), "\x03\xEF");  // 1007
}

TEST_F(WsEndpointTest, AClosingClientEndsByItsAnswer) {
  SocketPair pair;
  ResumedSession session = left_behind("");
  session.ending.phase = SessionPhase::kClosing;
  session.ending.ended_by = CloseReason::kDrained;
  session.ending.close_sent = true;
  ASSERT_NE(resume(pair, 0, std::move(session)), nullptr);
  quiet();
  EXPECT_EQ(pair.received(), "");
  pair.send(client_frame(0x81, "still counts") + client_frame(0x88, "\x03\xE9"));
  std::string all;
  ASSERT_TRUE(until([&] { return (all += pair.received()).find("<end>") != std::string::npos; }));
  EXPECT_TRUE(all.starts_with("<end>"));
  ASSERT_EQ(heard_[0].messages.size(), 1U);
}

TEST_F(WsEndpointTest, AClosingClientIsCutInTheEnd) {
  SocketPair pair;
  ResumedSession session = left_behind("");
  session.ending.phase = SessionPhase::kClosing;
  ClientSession* resumed = resume(pair, 0, std::move(session));
  ASSERT_NE(resumed, nullptr);
  resumed->out.close_queued = true;
  sender_.resumed(*resumed);
  EXPECT_TRUE(resumed->close_sent);
  sender_.expire_closing(time_.now() + kCloseWait + kCloseWait);
  ASSERT_TRUE(until([&] { return heard_[0].closed; }));
}

/// Another holder of the same socket, as the keeper is one.
TEST_F(WsEndpointTest, WhatFailsDoesNotTouchTheSocket) {
  SocketPair taken;
  ASSERT_NE(resume(taken, 0, left_behind("")), nullptr);
  SocketPair pair;
  const UniqueFd keeper(::fcntl(pair.ours.get(), F_DUPFD_CLOEXEC, 0));
  EXPECT_EQ(resume(pair, 0, left_behind("")), nullptr);  // the slot has somebody
  quiet();
  EXPECT_EQ(pair.received(), "");

  // No descriptor left for the handshake.
  SocketPair other;
  const UniqueFd kept(::fcntl(other.ours.get(), F_DUPFD_CLOEXEC, 0));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ(resume(other, 1, left_behind("")), nullptr);
  EXPECT_TRUE(other.ours.valid());
  other.ours.reset();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  quiet();
  EXPECT_EQ(other.received(), "");
  EXPECT_EQ(sessions_.size(), 1U);
  // The other holder can still write to the client, and read from it.
  EXPECT_EQ(::write(kept.get(), "still", 5), 5);
  EXPECT_EQ(other.received(), "still");
  other.send("here");
  std::array<char, 8> buffer;
  EXPECT_EQ(::read(kept.get(), buffer.data(), buffer.size()), 4);
}

/// Its libwebsockets has room for few descriptors: it refuses what has a higher number.
class SmallEndpointTest : public WsEndpointTest {
 protected:
  void SetUp() override {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit few = before;
    few.rlim_cur = kDescriptors;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    WsEndpointTest::SetUp();
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  }
  static constexpr rlim_t kDescriptors = 64;
};

TEST_F(SmallEndpointTest, LibwebsocketsRefusingDoesNotTouchTheSocket) {
  SocketPair pair;
  const UniqueFd keeper(::fcntl(pair.ours.get(), F_DUPFD_CLOEXEC, 0));
  std::vector<UniqueFd> fill;
  for (rlim_t i = 0; i < kDescriptors; ++i) fill.emplace_back(::dup(2));
  EXPECT_EQ(resume(pair, 0, left_behind("")), nullptr);
  fill.clear();
  quiet();
  EXPECT_EQ(sessions_.size(), 0U);
  EXPECT_EQ(pair.received(), "");
  EXPECT_EQ(::write(keeper.get(), "still", 5), 5);
  EXPECT_EQ(pair.received(), "still");
  // With a number that fits it goes on.
  SocketPair other;
  ASSERT_NE(resume(other, 0, left_behind("")), nullptr);
  other.send(client_frame(0x81, "x"));
  EXPECT_TRUE(until([&] { return !heard_[0].messages.empty(); }));
}

TEST_F(WsEndpointTest, AClosedSessionIsNotResumed) {
  SocketPair pair;
  ResumedSession session = left_behind("");
  session.ending.phase = SessionPhase::kClosed;
  EXPECT_EQ(resume(pair, 0, std::move(session)), nullptr);
  EXPECT_EQ(sessions_.size(), 0U);
}

}  // namespace
}  // namespace sluice::gateway
