// The acceptor on a listening TCP socket: accepting, stepping back, closing.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "tests/unit/gateway/acceptor_fixture.h"

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;

struct Loopback {
  explicit Loopback(bool listens = true)
      : fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listens ? fd.get() : -1, 512), listens ? 0 : -1);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  }
  [[nodiscard]] UniqueFd dial() const {
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // Non-blocking: "in progress" is the answer.
    static_cast<void>(
        ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
    return client;
  }
  UniqueFd fd;
  sockaddr_in address{};
};

TEST_F(AcceptorTest, ListensOnTcp) {
  Loopback loopback;
  acceptor().listen(std::move(loopback.fd));
  const UniqueFd client = loopback.dial();
  say(client, kRequest);
  ASSERT_TRUE(turn_until([&] { return !sink_.fds.empty(); }));
  EXPECT_EQ(to_string(sink_.client.ip), "127.0.0.1");
  EXPECT_NE(sink_.client.port, 0);
  EXPECT_EQ(acceptor().stats().listener.accepted, 1U);
}

TEST_F(AcceptorTest, HandshakesGoOnWhenListeningStops) {
  Loopback loopback;
  acceptor().listen(std::move(loopback.fd));
  EXPECT_TRUE(acceptor().listening());
  const UniqueFd client = loopback.dial();
  ASSERT_TRUE(turn_until([&] { return acceptor().pending() == 1; }));
  acceptor().stop_listening();
  EXPECT_FALSE(acceptor().listening());
  const UniqueFd late = loopback.dial();
  EXPECT_EQ(::send(late.get(), "x", 1, MSG_NOSIGNAL), -1);
  say(client, kRequest);
  EXPECT_TRUE(turn_until([&] { return !sink_.fds.empty(); }));
}

TEST_F(AcceptorTest, WhatTheKernelHasAcceptedForUsIsNotReset) {
  Loopback loopback;
  acceptor().listen(std::move(loopback.fd));
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(loopback.dial());
  acceptor().stop_listening();  // no turn of the loop came between
  EXPECT_EQ(acceptor().stats().listener.accepted, 5U);
  for (const UniqueFd& client : clients) say(client, kRequest);
  EXPECT_TRUE(turn_until([&] { return sink_.fds.size() == 5; }));
}

TEST_F(AcceptorTest, RefusesUpgradesWhileAnOperatorWantsItSo) {
  Loopback loopback;
  acceptor().listen(std::move(loopback.fd));
  const UniqueFd early = loopback.dial();
  ASSERT_TRUE(turn_until([&] { return acceptor().pending() == 1; }));
  acceptor().refuse_upgrades(true);
  say(early, kRequest);  // its handshake was under way
  EXPECT_TRUE(turn_until([&] { return acceptor().pending() == 0; }));
  EXPECT_TRUE(refused(RefusalReason::kDraining));
  acceptor().refuse_upgrades(false);
  const UniqueFd later = loopback.dial();
  say(later, kRequest);
  EXPECT_TRUE(turn_until([&] { return sink_.fds.size() == 1; }));
}

TEST_F(AcceptorTest, BoundsHowManyComeInASecond) {
  options_.accept_rate = {3, 3};
  Loopback loopback;
  acceptor().listen(std::move(loopback.fd));
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(loopback.dial());
    say(clients.back(), kRequest);
  }
  ASSERT_TRUE(turn_until([&] {
    return sink_.fds.size() + acceptor().stats().refused_for(RefusalReason::kAcceptRate) == 5;
  }));
  EXPECT_GE(sink_.fds.size(), 3U);
  EXPECT_GE(acceptor().stats().refused_for(RefusalReason::kAcceptRate), 1U);
}

TEST_F(AcceptorTest, HalfOpenHandshakesEndByTime) {
  options_.limits.connections_max = 1000;
  options_.handshake_timeout = milliseconds(300);
  options_.lingering.time_max = milliseconds(50);
  Loopback loopback;
  acceptor().listen(std::move(loopback.fd));
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 400; ++i) {
    clients.push_back(loopback.dial());
    if (i % 100 == 0) loop_.run_once(false);
  }
  ASSERT_TRUE(turn_until([&] { return acceptor().pending() == 400; }));
  EXPECT_TRUE(turn_until([&] { return acceptor().pending() == 0; }));
  EXPECT_TRUE(refused(RefusalReason::kHeadTimeout, 400));
  EXPECT_TRUE(turn_until([&] { return acceptor().lingering() == 0; }));
  EXPECT_EQ(acceptor().connections(), 0U);
}

TEST_F(AcceptorTest, PausesWhenAcceptingFails) {
  // Running out of descriptors takes the same path; sanitizers can't work without any, so here the
  // socket does not listen yet.
  Loopback loopback(false);
  const int listening = loopback.fd.get();
  acceptor().listen(std::move(loopback.fd));
  ASSERT_TRUE(turn_until([&] { return acceptor().stats().listener.pauses == 1; }));
  loop_.run_once(false);
  EXPECT_EQ(acceptor().stats().listener.pauses, 1U) << "a paused listener does not spin";
  ASSERT_EQ(::listen(listening, 16), 0);
  const UniqueFd client = loopback.dial();
  say(client, kRequest);
  EXPECT_TRUE(turn_until([&] { return sink_.fds.size() == 1; })) << "and goes on by itself";
}

}  // namespace
}  // namespace sluice::gateway
