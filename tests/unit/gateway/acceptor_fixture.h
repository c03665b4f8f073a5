// An Acceptor on a real loop, with connections that claim to come from any address.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/acceptor.h"

namespace sluice::gateway {
inline const std::string kRequest =
    "GET /channel/a HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
inline const std::string kProxyV1 = "PROXY TCP4 192.0.2.7 198.51.100.1 51234 80\r\n";
inline const std::string kProxyLocal = std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);

struct RecordingSink final : UpgradeSink {
  void accept(UniqueFd fd, const UpgradeRequest& upgrade, ClientIdentity who,
              std::string_view behind) override {
    fds.push_back(std::move(fd));
    request = upgrade;
    client = who.address;
    facts = std::move(who.facts);
    rest = behind;
    if (then) then();
  }
  std::vector<UniqueFd> fds;
  UpgradeRequest request;
  ClientAddress client;
  std::unique_ptr<const ClientFacts> facts;
  std::string rest;
  std::function<void()> then;
};

class AcceptorTest : public testing::Test {
 protected:
  Acceptor& acceptor() {
    if (!acceptor_) acceptor_.emplace(loop_, options_, time_, sink_);
    return *acceptor_;
  }

  /// Turns until `done`, or until it is plain that it will never be.
  bool turn_until(const std::function<bool()>& done) {
    Timer tick(loop_, [] {});
    tick.start_every(std::chrono::milliseconds(1));
    const TimePoint give_up = time_.now() + std::chrono::seconds(5);
    while (!done()) {
      if (time_.now() > give_up) return false;
      loop_.run_once();
    }
    return true;
  }

  /// A connection from `peer`; the client's end.
  UniqueFd connect_as(const char* ip, std::uint16_t port = 40000) {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    ClientAddress peer;
    peer.is_unix = ip == nullptr;
    if (!peer.is_unix) peer = {IpAddress::parse(ip).value(), port, false};
    acceptor().take(UniqueFd(fds[1]), peer);
    return UniqueFd(fds[0]);
  }

  static void say(const UniqueFd& fd, std::string_view bytes) {
    ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  /// Everything up to the end of the stream.
  std::string hear(const UniqueFd& fd) {
    std::string all;
    const bool ended = turn_until([&] {
      char buffer[4096];
      const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (n > 0) all.append(buffer, static_cast<std::size_t>(n));
      return n == 0 || (n < 0 && errno != EAGAIN);
    });
    return ended ? all : "no end";
  }

  bool refused(RefusalReason reason, std::uint64_t times = 1) {
    return acceptor().stats().refused_for(reason) == times;
  }

  void trust(const char* cidr) { options_.trusted_proxies.push_back(Cidr::parse(cidr).value()); }

  EventLoop loop_;
  SteadyTime time_;
  AcceptorOptions options_;
  RecordingSink sink_;
  std::optional<Acceptor> acceptor_;
};

}  // namespace sluice::gateway
