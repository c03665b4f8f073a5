// The client side's door with real sockets on a real loop.
#include <gtest/gtest.h>

#include "tests/unit/gateway/acceptor_fixture.h"

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;

TEST_F(AcceptorTest, HandsOverAJudgedUpgrade) {
  const UniqueFd client = connect_as("192.0.2.1", 1234);
  EXPECT_EQ(acceptor().pending(), 1U);
  say(client, kRequest + "\x81\x80more");
  ASSERT_TRUE(turn_until([&] { return !sink_.fds.empty(); }));
  EXPECT_EQ(sink_.request.channel, "a");
  EXPECT_EQ(sink_.request.sec_websocket_key, "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(to_string(sink_.client), "192.0.2.1:1234");
  EXPECT_EQ(sink_.rest, "\x81\x80more");
  EXPECT_EQ(acceptor().pending(), 0U);
  EXPECT_EQ(acceptor().connections(), 1U);
  EXPECT_EQ(acceptor().stats().upgraded, 1U);
  acceptor().client_left(sink_.client);
  EXPECT_EQ(acceptor().connections(), 0U);
}

TEST_F(AcceptorTest, HeadMayComeInAnyTwoPieces) {
  for (std::size_t split = 1; split < kRequest.size(); ++split) {
    sink_ = {};
    const UniqueFd client = connect_as("192.0.2.1");
    say(client, kRequest.substr(0, split));
    loop_.run_once();
    ASSERT_EQ(acceptor().pending(), 1U) << split;
    say(client, kRequest.substr(split) + "rest");
    ASSERT_TRUE(turn_until([&] { return !sink_.fds.empty(); })) << split;
    ASSERT_EQ(sink_.rest, "rest");
    acceptor().client_left(sink_.client);
  }
}

TEST_F(AcceptorTest, RefusalsReachTheClient) {
  const struct {
    std::string bytes;
    RefusalReason reason;
    const char* begins;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", RefusalReason::kNotUpgrade, "HTTP/1.1 426 "},
      {"GET /readyz HTTP/1.0\r\n\r\n", RefusalReason::kPath, "HTTP/1.1 404 "},
      {"POST / HTTP/1.1\r\nHost: a\r\n\r\nbody", RefusalReason::kMethod, "HTTP/1.1 405 "},
      {"GET / HTTP/2.0\r\n\r\n", RefusalReason::kHttpVersion, "HTTP/1.1 505 "},
      {"GET / HTTP/1.1\n", RefusalReason::kHeadMalformed, "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", RefusalReason::kHeadMalformed,
       "HTTP/1.1 400 "},
      {"\x16\x03\x01\x02", RefusalReason::kHeadMalformed, "HTTP/1.1 400 "},
      {"GET /" + std::string(kHeadBytesMax, 'x'), RefusalReason::kHeadTooLarge, "HTTP/1.1 431 "},
  };
  for (const auto& c : cases) {
    const std::uint64_t before = acceptor().stats().refused_for(c.reason);
    const UniqueFd client = connect_as("192.0.2.1");
    say(client, c.bytes);
    EXPECT_TRUE(hear(client).starts_with(c.begins)) << c.bytes.substr(0, 60);
    EXPECT_TRUE(refused(c.reason, before + 1)) << c.begins;
    EXPECT_EQ(acceptor().connections(), 0U);
  }
}

TEST_F(AcceptorTest, RefusedConnectionLingersUntilThePeerEnds) {
  UniqueFd client = connect_as("192.0.2.1");
  say(client, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(turn_until([&] { return acceptor().lingering() == 1; }));
  say(client, "more that nobody reads");  // would reset a closed socket
  EXPECT_TRUE(hear(client).starts_with("HTTP/1.1 404 "));
  EXPECT_EQ(acceptor().lingering(), 1U);
  client.reset();
  EXPECT_TRUE(turn_until([&] { return acceptor().lingering() == 0; }));
}

TEST_F(AcceptorTest, LingeringEndsByTimeAndHasABound) {
  options_.lingering.time_max = milliseconds(5);
  options_.lingering.connections_max = 2;
  options_.limits.connections_max = 0;
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(connect_as("192.0.2.1"));
    EXPECT_LE(acceptor().lingering(), 2U);
  }
  EXPECT_TRUE(turn_until([&] { return acceptor().lingering() == 0; }));
  for (const UniqueFd& client : clients) {
    EXPECT_TRUE(hear(client).starts_with("HTTP/1.1 503 "));
  }
}

TEST_F(AcceptorTest, SlowHeadIs408) {
  options_.handshake_timeout = milliseconds(10);
  const UniqueFd silent = connect_as("192.0.2.1");
  const UniqueFd slow = connect_as("192.0.2.1");
  say(slow, kRequest.substr(0, 30));
  EXPECT_TRUE(hear(slow).starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(hear(silent).starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(refused(RefusalReason::kHeadTimeout, 2));
  EXPECT_EQ(acceptor().connections(), 0U);
}

TEST_F(AcceptorTest, TimeOutRunsFromAcceptWhateverDribblesIn) {
  options_.handshake_timeout = milliseconds(20);
  const UniqueFd slow = connect_as("192.0.2.1");
  std::size_t sent = 0;
  EXPECT_TRUE(turn_until([&] {
    if (sent < 100) {
      const char c = kRequest[sent++ % 20];
      [[maybe_unused]] const auto n = ::send(slow.get(), &c, 1, MSG_NOSIGNAL);
    }
    return refused(RefusalReason::kHeadTimeout);
  }));
}

TEST_F(AcceptorTest, LeavingEarlyIsCounted) {
  connect_as("192.0.2.1").reset();
  UniqueFd half = connect_as("192.0.2.1");
  say(half, "GET");
  loop_.run_once();
  half.reset();
  EXPECT_TRUE(turn_until([&] { return acceptor().stats().abandoned == 2; }));
  EXPECT_EQ(acceptor().connections(), 0U);
}

TEST_F(AcceptorTest, FullProcessIs503AndHandshakesCount) {
  options_.limits.connections_max = 1;
  UniqueFd first = connect_as("192.0.2.1");
  const UniqueFd second = connect_as("192.0.2.2");
  say(second, kRequest);
  const std::string reply = hear(second);
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 503 ")) << reply;
  EXPECT_NE(reply.find("\r\nRetry-After: 1\r\n"), std::string::npos);
  EXPECT_TRUE(refused(RefusalReason::kProcessFull));
  first.reset();
  ASSERT_TRUE(turn_until([&] { return acceptor().connections() == 0; }));
  const UniqueFd third = connect_as("192.0.2.2");
  say(third, kRequest);
  EXPECT_TRUE(turn_until([&] { return sink_.fds.size() == 1; }));
}

TEST_F(AcceptorTest, FullAddressIs429AndClientsCountUntilTheyLeave) {
  options_.limits.connections_per_ip_max = 1;
  const UniqueFd first = connect_as("192.0.2.1");
  say(first, kRequest);
  ASSERT_TRUE(turn_until([&] { return sink_.fds.size() == 1; }));
  EXPECT_TRUE(hear(connect_as("192.0.2.1")).starts_with("HTTP/1.1 429 "));
  EXPECT_TRUE(refused(RefusalReason::kAddressFull));
  EXPECT_EQ(acceptor().connections(), 1U);
  acceptor().client_left(sink_.client);
  EXPECT_EQ(acceptor().limits().addresses(), 0U);
  const UniqueFd again = connect_as("192.0.2.1");
  say(again, kRequest);
  EXPECT_TRUE(turn_until([&] { return sink_.fds.size() == 2; }));
}

TEST_F(AcceptorTest, SinkMayGiveTheClientUpAtOnce) {
  options_.limits.connections_per_ip_max = 1;
  sink_.then = [&] {
    sink_.fds.clear();
    acceptor().client_left(sink_.client);
    acceptor().stop_listening();
  };
  const UniqueFd client = connect_as("192.0.2.1");
  say(client, kRequest);
  ASSERT_TRUE(turn_until([&] { return acceptor().stats().upgraded == 1; }));
  EXPECT_EQ(acceptor().connections(), 0U);
  EXPECT_EQ(acceptor().limits().addresses(), 0U);
}

/// Serves "/", refuses "/no".
struct TwoPages final : PageSource {
  std::optional<PageAnswer> answer(const HttpHead& head) const override {
    if (head.target == "/") return PageAnswer{"a page", std::nullopt};
    if (head.target == "/no") return PageAnswer{"no page", RefusalReason::kMethod};
    return std::nullopt;
  }
};

TEST_F(AcceptorTest, PagesAreAskedFirstAndCounted) {
  const TwoPages pages;
  options_.pages = &pages;
  const auto get = [&](const std::string& path) {
    const UniqueFd client = connect_as("192.0.2.1");
    say(client, "GET " + path + " HTTP/1.1\r\nHost: example.org\r\n\r\n");
    return hear(client);
  };
  EXPECT_EQ(get("/"), "a page");
  EXPECT_EQ(acceptor().stats().served, 1U);
  EXPECT_EQ(get("/no"), "no page");
  EXPECT_TRUE(refused(RefusalReason::kMethod));
  EXPECT_TRUE(get("/channel/a").starts_with("HTTP/1.1 426 "));
  EXPECT_EQ(acceptor().stats().served, 1U);
  EXPECT_EQ(acceptor().connections(), 0U);
  EXPECT_EQ(acceptor().limits().addresses(), 0U);
}

}  // namespace
}  // namespace sluice::gateway
