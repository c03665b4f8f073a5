// Who may say where a client comes from, and what happens to those who may not.
#include <gtest/gtest.h>

#include "tests/unit/gateway/acceptor_fixture.h"

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;

TEST_F(AcceptorTest, ProxyHeaderAndHeadByteByByte) {
  options_.proxy_mode = ProxyMode::kRequired;
  trust("127.0.0.0/8");
  const UniqueFd client = connect_as("127.0.0.1");
  for (const char c : kProxyV1 + kRequest) {
    say(client, {&c, 1});
    loop_.run_once();
  }
  ASSERT_TRUE(turn_until([&] { return !sink_.fds.empty(); }));
  EXPECT_EQ(to_string(sink_.client), "192.0.2.7:51234");
}

TEST_F(AcceptorTest, UnfinishedProxyHeaderIsClosedWithoutReply) {
  options_.handshake_timeout = milliseconds(10);
  options_.proxy_mode = ProxyMode::kOptional;
  const UniqueFd client = connect_as(nullptr);
  say(client, "PROXY TCP4");
  EXPECT_EQ(hear(client), "");
  EXPECT_TRUE(refused(RefusalReason::kHeadTimeout));
}

TEST_F(AcceptorTest, AddressBoundHoldsForTheClientBehindTheProxy) {
  options_.limits.connections_per_ip_max = 1;
  options_.proxy_mode = ProxyMode::kRequired;
  const UniqueFd first = connect_as(nullptr);
  say(first, kProxyV1 + kRequest);
  ASSERT_TRUE(turn_until([&] { return sink_.fds.size() == 1; }));
  const UniqueFd second = connect_as(nullptr);
  say(second, kProxyV1 + kRequest);
  EXPECT_TRUE(hear(second).starts_with("HTTP/1.1 429 "));
  EXPECT_EQ(acceptor().connections(), 1U);
}

TEST_F(AcceptorTest, ProxyRequired) {
  options_.proxy_mode = ProxyMode::kRequired;
  trust("10.0.0.0/8");
  const UniqueFd untrusted = connect_as("192.0.2.1");
  EXPECT_EQ(hear(untrusted), "");
  EXPECT_TRUE(refused(RefusalReason::kProxyUntrusted));

  const UniqueFd missing = connect_as("10.0.0.1");
  say(missing, kRequest);
  EXPECT_EQ(hear(missing), "");
  EXPECT_TRUE(refused(RefusalReason::kProxyMissing));

  const UniqueFd malformed = connect_as("10.0.0.1");
  say(malformed, "PROXY TCP4 nonsense\r\n" + kRequest);
  EXPECT_EQ(hear(malformed), "");
  EXPECT_TRUE(refused(RefusalReason::kProxyMalformed));

  const UniqueFd twice = connect_as("10.0.0.1");
  say(twice, kProxyV1 + kProxyV1 + kRequest);
  EXPECT_TRUE(hear(twice).starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(acceptor().connections(), 0U);
}

TEST_F(AcceptorTest, ProxyOptional) {
  options_.proxy_mode = ProxyMode::kOptional;
  trust("10.0.0.0/8");
  const UniqueFd with = connect_as("10.0.0.1");
  say(with, kProxyV1 + kRequest);
  ASSERT_TRUE(turn_until([&] { return sink_.fds.size() == 1; }));
  EXPECT_EQ(to_string(sink_.client), "192.0.2.7:51234");

  const UniqueFd without = connect_as("10.0.0.1", 7);
  say(without, kRequest);
  ASSERT_TRUE(turn_until([&] { return sink_.fds.size() == 2; }));
  EXPECT_EQ(to_string(sink_.client), "10.0.0.1:7");

  const UniqueFd direct = connect_as("192.0.2.1", 8);
  say(direct, kRequest);
  ASSERT_TRUE(turn_until([&] { return sink_.fds.size() == 3; }));
  EXPECT_EQ(to_string(sink_.client), "192.0.2.1:8");

  const UniqueFd forged = connect_as("192.0.2.1");
  say(forged, kProxyV1 + kRequest);
  EXPECT_EQ(hear(forged), "");
  EXPECT_TRUE(refused(RefusalReason::kProxyUntrusted));
}

TEST_F(AcceptorTest, ProxyOff) {
  for (const std::string& header : {kProxyV1, kProxyLocal}) {
    const UniqueFd client = connect_as("127.0.0.1");
    say(client, header + kRequest);
    EXPECT_EQ(hear(client), "");
  }
  EXPECT_TRUE(refused(RefusalReason::kProxyUnexpected, 2));
}

TEST_F(AcceptorTest, LocalConnectionsKeepThePeersAddress) {
  options_.proxy_mode = ProxyMode::kRequired;
  trust("10.0.0.0/8");
  const UniqueFd tcp = connect_as("10.0.0.1", 7);
  say(tcp, kProxyLocal + kRequest);
  ASSERT_TRUE(turn_until([&] { return sink_.fds.size() == 1; }));
  EXPECT_EQ(to_string(sink_.client), "10.0.0.1:7");
  EXPECT_EQ(acceptor().stats().proxy_local, 1U);

  const UniqueFd local = connect_as(nullptr);
  say(local, kProxyLocal + kRequest);
  ASSERT_TRUE(turn_until([&] { return sink_.fds.size() == 2; }));
  EXPECT_EQ(to_string(sink_.client), "unix");
  acceptor().client_left(sink_.client);

  const UniqueFd check = connect_as("10.0.0.1");
  say(check, kProxyLocal + "GET /readyz HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(hear(check).starts_with("HTTP/1.1 404 "));
}

}  // namespace
}  // namespace sluice::gateway
