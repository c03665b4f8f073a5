// Whose word about the client counts, and for whom a connection is counted then.
#include <gtest/gtest.h>

#include "tests/unit/gateway/acceptor_fixture.h"
#include "tests/unit/gateway/proxy_samples.h"

namespace sluice::gateway {
namespace {

/// kRequest with header lines of its own.
std::string request_with(const std::string& lines) {
  return kRequest.substr(0, kRequest.size() - 2) + lines + "\r\n";
}
const std::string kForged = request_with("X-Forwarded-For: 203.0.113.9\r\n");

class AcceptorForwarded : public AcceptorTest {
 protected:
  void SetUp() override {
    options_.forwarded_header = ForwardedHeader::kXForwardedFor;
    trust("10.0.0.0/8");
  }
  /// The address under which a client that sends `bytes` comes in.
  std::string client_of(const char* peer, const std::string& bytes) {
    const std::size_t before = sink_.fds.size();
    const UniqueFd client = connect_as(peer);
    say(client, bytes);
    if (!turn_until([&] { return sink_.fds.size() > before; })) return "none";
    return to_string(sink_.client);
  }
  std::uint64_t outcome(ForwardedOutcome outcome) {
    return acceptor().stats().forwarded_with(outcome);
  }
};

TEST_F(AcceptorForwarded, ATrustedPeerNamesTheClient) {
  EXPECT_EQ(client_of("10.0.0.1", kForged), "203.0.113.9");
  EXPECT_EQ(client_of("10.0.0.1", request_with("X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n")),
            "192.0.2.7");
  EXPECT_EQ(client_of(nullptr, kForged), "203.0.113.9");
  EXPECT_EQ(outcome(ForwardedOutcome::kTaken), 3U);
  EXPECT_EQ(client_of("10.0.0.1", kRequest), "10.0.0.1:40000");
  EXPECT_EQ(outcome(ForwardedOutcome::kAbsent), 1U);
  EXPECT_EQ(client_of("10.0.0.1", request_with("X-Forwarded-For: unknown\r\n")), "10.0.0.1:40000");
  EXPECT_EQ(outcome(ForwardedOutcome::kUnknown), 1U);
  EXPECT_EQ(client_of(nullptr, kRequest), "unix");
}

TEST_F(AcceptorForwarded, FromAnybodyElseItChangesNothing) {
  EXPECT_EQ(client_of("192.0.2.1", kForged), "192.0.2.1:40000");
  EXPECT_EQ(client_of("192.0.2.1", request_with("X-Forwarded-For: garbage\r\n")),
            "192.0.2.1:40000");
  EXPECT_EQ(client_of("192.0.2.1", kRequest), "192.0.2.1:40000");
  EXPECT_EQ(outcome(ForwardedOutcome::kIgnored), 2U);
  EXPECT_EQ(outcome(ForwardedOutcome::kTaken), 0U);
}

TEST_F(AcceptorForwarded, OffIsOff) {
  options_.forwarded_header = ForwardedHeader::kOff;
  EXPECT_EQ(client_of("10.0.0.1", kForged), "10.0.0.1:40000");
  EXPECT_EQ(client_of("10.0.0.1", request_with("X-Forwarded-For: garbage\r\n")), "10.0.0.1:40000");
  for (const std::uint64_t count : acceptor().stats().forwarded) EXPECT_EQ(count, 0U);
}

TEST_F(AcceptorForwarded, BehindAProxyHeaderTheAddressThatItToldMustBeTrusted) {
  options_.proxy_mode = ProxyMode::kOptional;
  // A balancer that passes bytes on: the head is the client's own.
  EXPECT_EQ(client_of("10.0.0.1", kProxyV1 + kForged), "192.0.2.7:51234");
  EXPECT_EQ(client_of(nullptr, kProxyV1 + kForged), "192.0.2.7:51234");
  // In front of that one another proxy, which speaks HTTP.
  const std::string inner = "PROXY TCP4 10.0.0.2 10.0.0.1 51234 80\r\n";
  EXPECT_EQ(client_of("10.0.0.1", inner + kForged), "203.0.113.9");
  // Who speaks was not told: neither the proxy's word nor anybody's.
  EXPECT_EQ(client_of("10.0.0.1", "PROXY UNKNOWN\r\n" + kForged), "10.0.0.1:40000");
  EXPECT_EQ(client_of("10.0.0.1", kHaproxyUnix + kForged), "10.0.0.1:40000");
  EXPECT_EQ(client_of("10.0.0.1", kProxyLocal + kForged), "10.0.0.1:40000");
  EXPECT_EQ(client_of("10.0.0.1", v2_header(0x21, 0x31, std::string(216, '\0')) + kForged),
            "10.0.0.1:40000");
  // No PROXY header at all.
  EXPECT_EQ(client_of("10.0.0.1", kForged), "203.0.113.9");
}

TEST_F(AcceptorForwarded, MalformedIsRefused) {
  const UniqueFd client = connect_as("10.0.0.1");
  say(client, request_with("X-Forwarded-For: 192.0.2.7, garbage\r\n"));
  EXPECT_TRUE(hear(client).starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(refused(RefusalReason::kForwardedMalformed));
  EXPECT_EQ(acceptor().connections(), 0U);
  EXPECT_EQ(acceptor().limits().addresses(), 0U);
}

TEST_F(AcceptorForwarded, CountedForTheClientAndNotForItsProxy) {
  options_.limits.connections_per_ip_max = 1;
  // Half of a head each: as many as like through one proxy.
  std::vector<UniqueFd> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(connect_as("10.0.0.1"));
    say(waiting.back(), kForged.substr(0, 40));
  }
  loop_.run_once();
  EXPECT_EQ(acceptor().pending(), 5U);
  EXPECT_EQ(acceptor().limits().addresses(), 0U);
  waiting.clear();
  ASSERT_TRUE(turn_until([&] { return acceptor().connections() == 0; }));

  EXPECT_EQ(client_of("10.0.0.1", kForged), "203.0.113.9");
  const ClientAddress first = sink_.client;
  const UniqueFd second = connect_as("10.0.0.2");
  say(second, kForged);
  EXPECT_TRUE(hear(second).starts_with("HTTP/1.1 429 "));
  EXPECT_TRUE(refused(RefusalReason::kAddressFull));
  EXPECT_EQ(client_of("10.0.0.1", request_with("X-Forwarded-For: 203.0.113.10\r\n")),
            "203.0.113.10");
  const auto counted = [&](const char* ip) {
    return acceptor().limits().connections_of(IpAddress::parse(ip).value());
  };
  EXPECT_EQ(counted("203.0.113.9"), 1U);
  EXPECT_EQ(counted("203.0.113.10"), 1U);
  EXPECT_EQ(counted("10.0.0.1"), 0U);
  acceptor().client_left(first);
  acceptor().client_left(sink_.client);
  EXPECT_EQ(acceptor().limits().addresses(), 0U);
  EXPECT_EQ(acceptor().connections(), 0U);
}

TEST_F(AcceptorForwarded, AnUntrustedPeersOwnAddressIsBoundBeforeItsHead) {
  options_.limits.connections_per_ip_max = 1;
  const UniqueFd first = connect_as("192.0.2.1");
  const UniqueFd second = connect_as("192.0.2.1");
  EXPECT_TRUE(hear(second).starts_with("HTTP/1.1 429 "));
  say(first, kForged);
  ASSERT_TRUE(turn_until([&] { return sink_.fds.size() == 1; }));
  EXPECT_EQ(to_string(sink_.client), "192.0.2.1:40000");
}

TEST_F(AcceptorForwarded, ARefusalBehindTheHeadGivesThePlaceBack) {
  options_.limits.connections_per_ip_max = 1;
  for (int round = 0; round < 2; ++round) {
    const UniqueFd client = connect_as("10.0.0.1");
    say(client, "GET /nowhere HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
    EXPECT_TRUE(hear(client).starts_with("HTTP/1.1 404 "));
    EXPECT_EQ(acceptor().limits().addresses(), 0U);
  }
}

TEST_F(AcceptorTest, FactsComeWithTheClient) {
  options_.proxy_mode = ProxyMode::kRequired;
  trust("10.0.0.0/8");
  const UniqueFd client = connect_as("10.0.0.1");
  for (const char c : kHaproxyAlice + kRequest) {
    say(client, {&c, 1});
    loop_.run_once();
  }
  ASSERT_TRUE(turn_until([&] { return !sink_.fds.empty(); }));
  ASSERT_NE(sink_.facts, nullptr);
  EXPECT_EQ(sink_.facts->certificate_name, "alice");
  EXPECT_EQ(sink_.facts->tls_version, "TLSv1.3");
  const UniqueFd plain = connect_as("10.0.0.1");
  say(plain, kProxyV1 + kRequest);
  ASSERT_TRUE(turn_until([&] { return sink_.fds.size() == 2; }));
  EXPECT_EQ(sink_.facts, nullptr);
}

TEST_F(AcceptorTest, AWrongChecksumIsClosedAndCounted) {
  options_.proxy_mode = ProxyMode::kRequired;
  trust("10.0.0.0/8");
  std::string damaged = kHaproxyAlice;
  damaged.back() ^= 1;
  const UniqueFd client = connect_as("10.0.0.1");
  say(client, damaged + kRequest);
  EXPECT_EQ(hear(client), "");
  EXPECT_TRUE(refused(RefusalReason::kProxyChecksum));
  EXPECT_TRUE(refused(RefusalReason::kProxyMalformed, 0));
  EXPECT_EQ(acceptor().connections(), 0U);
}

}  // namespace
}  // namespace sluice::gateway
