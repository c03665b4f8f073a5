// Hostile peers on the gateway's client port and on both admin ports: at most that peer is closed,
// with the right status, counted under its reason, and nothing of it stays.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "tests/process/support/baseline.h"
#include "tests/process/support/daemons.h"
#include "tests/process/support/proxy_header.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

const std::vector<std::string> kGatewayGauges{"sluice_gateway_connections",
                                              "sluice_gateway_handshakes_pending",
                                              "sluice_gateway_client_queue_bytes"};
/// Kept by allocators between two equal rounds; far below what the rounds use.
constexpr std::uint64_t kSlackBytes = 2U << 20U;

/// The start of a TLS 1.2 ClientHello: record header, handshake header, version, noise.
std::string client_hello() {
  return std::string("\x16\x03\x01\x00\xC8\x01\x00\x00\xC4\x03\x03", 11) + std::string(194, '\xA5');
}

class Hostile : public ::testing::Test {
 protected:
  void start(Args args = {}) {
    Stack::Settings settings;
    settings.gateway_args = std::move(args);
    stack_ = std::make_unique<Stack>(std::move(settings));
    witness_ = std::make_unique<WsClient>(WsClient::connect(gateway().endpoint()));
    gateway().wait_subscribed();
    expect_service();
  }
  Gateway& gateway() { return stack_->gateway(); }
  double refused(const std::string& reason) {
    return gateway().metrics().value("sluice_gateway_refused_total", "reason=\"" + reason + "\"");
  }
  double refused() { return gateway().metrics().value("sluice_gateway_refused_total"); }
  double gauge(const std::string& name) { return gateway().metrics().value(name); }
  /// A client that was there before goes on, a new one gets in.
  void expect_service() {
    witness_->send_text("there?");
    EXPECT_EQ(witness_->text(), "there?");
    WsClient fresh = WsClient::connect(gateway().endpoint());
    fresh.send_text("new");
    EXPECT_EQ(fresh.text(), "new");
    EXPECT_EQ(witness_->text(), "new");
    fresh.send_close(1000);
    EXPECT_EQ(fresh.wait_close().code, 1000);
  }
  /// Loopback addresses of their own: ports of one alone would not last.
  Endpoint from(std::size_t index) {
    Endpoint to = gateway().endpoint();
    to.source = "127.0.1." + std::to_string(1 + index % 200);
    return to;
  }

  std::unique_ptr<Stack> stack_;
  std::unique_ptr<WsClient> witness_;
};

struct Attack {
  std::string name;
  std::string bytes;
  int status = 0;  ///< 0: closed without a reply
  std::string reason;
};

std::vector<Attack> attacks() {
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 400; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  const std::string upgrade = upgrade_bytes({});
  const std::string body(100000, 'b');
  const std::string line = "GET /" + std::string(200000, 'a');
  const std::string proxy_2 = proxy_v2::tcp4(std::string("\xCB\x00\x71\x07", 4), 1);
  return {
      {"TLS ClientHello", client_hello(), 400, "head_malformed"},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version"},
      {"HTTP/2 preface and frames", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(50000, '\0'),
       505, "http_version"},
      {"HTTP/0.9", "GET /\r\n\r\n", 400, "head_malformed"},
      {"zeros", std::string(1000, '\0'), 400, "head_malformed"},
      {"bytes above 127", std::string(20000, '\xFF'), 431, "head_too_large"},
      {"SSH", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", 400, "head_malformed"},
      {"bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", 400, "head_malformed"},
      {"line feeds for ever", std::string(100000, '\n'), 400, "head_malformed"},
      {"one endless line", line, 431, "head_too_large"},
      {"one endless header", "GET / HTTP/1.1\r\nX: " + body, 431, "head_too_large"},
      {"400 headers that fit", many + "\r\n", 431, "head_too_large"},
      {"headers without end", many + many + many + many, 431, "head_too_large"},
      {"a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + body, 405,
       "method"},
      {"requests behind one that is refused",
       "GET /nope HTTP/1.1\r\nHost: a\r\n\r\n" + upgrade + upgrade + body, 404, "path"},
      {"smuggled second length",
       "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 426,
       "not_upgrade"},
      {"PROXY header, version 1", proxy_v1("203.0.113.7", 1) + upgrade, 0, "proxy_unexpected"},
      {"PROXY header, version 2", proxy_2 + upgrade, 0, "proxy_unexpected"},
      {"broken PROXY header", "PROXY TCP4 x\r\n" + upgrade, 0, "proxy_unexpected"},
  };
}

TEST_F(Hostile, BytesOfAllKindsAreRefusedAndCounted) {
  start();
  twice(gateway().process(), gateway().admin(), kGatewayGauges, kSlackBytes, [&] {
    for (const Attack& attack : attacks()) {
      const double before = refused(attack.reason);
      const double all = refused();
      Socket socket = Socket::connect(gateway().endpoint());
      (void)socket.try_send(attack.bytes);
      EXPECT_EQ(read_response(socket).status, attack.status) << attack.name;
      EXPECT_EQ(refused(attack.reason), before + 1) << attack.name;
      EXPECT_EQ(refused(), all + 1) << attack.name;
    }
    expect_service();
  });
}

TEST_F(Hostile, ProxyHeaderOfAPeerThatIsNotTrusted) {
  start({"--proxy-protocol", "optional", "--trusted-proxy", "10.0.0.0/8"});
  twice(gateway().process(), gateway().admin(), kGatewayGauges, kSlackBytes, [&] {
    const double before = refused("proxy_untrusted");
    for (const std::string& header :
         {proxy_v1("203.0.113.7", 1), proxy_v2::tcp4(std::string("\xCB\x00\x71\x07", 4), 1)}) {
      Socket socket = Socket::connect(gateway().endpoint());
      (void)socket.try_send(header + upgrade_bytes({}));
      EXPECT_EQ(read_response(socket).status, 0);
    }
    EXPECT_EQ(refused("proxy_untrusted"), before + 2);
    expect_service();
  });
}

TEST_F(Hostile, BytesBehindTheUpgradeThatAreNoFrames) {
  start();
  twice(gateway().process(), gateway().admin(), kGatewayGauges, kSlackBytes, [&] {
    // A second request: 'G' is a frame with reserved bits set.
    for (const std::string& behind :
         {upgrade_bytes({}), std::string(100000, '\xFF'), client_hello()}) {
      Socket socket = Socket::connect(gateway().endpoint());
      (void)socket.try_send(upgrade_bytes({}) + behind);
      std::string rest;
      EXPECT_EQ(read_head(socket, rest).status, 101);
      rest += socket.read_all(10s);
      EXPECT_NE(socket.read_some(0ms).end, ReadEnd::kTimeout);
      WsReader reader;
      reader.feed(rest);
      // A reset may have overtaken the close frame; what came is one.
      const std::optional<WsFrame> frame = reader.next();
      if (frame) {
        EXPECT_EQ(frame->opcode, WsOpcode::kClose);
        EXPECT_EQ(frame->payload.substr(0, 2), close_payload(1002, ""));
      }
    }
    expect_service();
  });
}

// Slow frames are a client's right (a slow line looks the same); each holds what it has sent and
// delays nobody. Who stops in the middle is cut like everybody who answers no ping.
TEST_F(Hostile, SlowFramesCostWhatTheySendAndAreCutWhenTheyStop) {
  constexpr std::size_t kCount = 100;
  start({"--ping-interval", "300ms", "--pong-timeout", "2s"});
  const std::string frame = client_frame(WsOpcode::kText, std::string(60000, 'x'));
  twice(gateway().process(), gateway().admin(), {"sluice_gateway_handshakes_pending"}, kSlackBytes,
        [&] {
          const auto cut = [&] {
            return gateway().metrics().value("sluice_gateway_closed_total", "reason=\"no_pong\"");
          };
          const double before = cut();
          std::vector<WsClient> slow;
          for (std::size_t i = 0; i < kCount; ++i) slow.push_back(WsClient::dial(from(i)));
          const std::uint64_t bytes = gateway().process().anonymous_bytes();
          for (std::size_t at = 0; at < 40; ++at) {
            for (WsClient& client : slow) {
              EXPECT_TRUE(client.socket().try_send(std::string_view(frame).substr(at, 1)));
            }
            witness_->send_text("there?");
            EXPECT_EQ(witness_->text(), "there?");
          }
          if (!sanitized()) {
            EXPECT_LT(gateway().process().anonymous_bytes(), bytes + kCount * 20000);
          }
          EXPECT_TRUE(eventually(30s, [&] {
            (void)witness_->quiet(1ms);  // answers its own pings
            return cut() == before + double(kCount);
          }));
        });
}

// Each costs a small record until its time is up; who is honest gets in beside them.
TEST_F(Hostile, HalfOpenHandshakesCostLittle) {
  const std::size_t count = full_size() ? 10000 : 1000;
  start({"--max-connections", std::to_string(count + 100), "--handshake-timeout", "1h"});
  // Of the head, as much as may be missing nothing but its end.
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(2000, 'x');
  constexpr std::uint64_t kBytesEach = 4096;
  twice(gateway().process(), gateway().admin(), kGatewayGauges, kSlackBytes + count * 512, [&] {
    const double abandoned = gauge("sluice_gateway_handshakes_abandoned_total");
    const std::uint64_t before = gateway().process().anonymous_bytes();
    std::vector<Socket> half;
    half.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      half.push_back(Socket::connect(from(i)));
      half.back().send_all(head);
    }
    ASSERT_TRUE(eventually(
        60s, [&] { return gauge("sluice_gateway_handshakes_pending") == double(count); }));
    const std::uint64_t each = (gateway().process().anonymous_bytes() - before) / count;
    std::cout << count << " half-open handshakes with 2 KB of head: " << each << " bytes each\n";
    if (!sanitized()) {
      EXPECT_LT(each, kBytesEach);
    }
    expect_service();
    for (Socket& socket : half) socket.reset();
    ASSERT_TRUE(eventually(60s, [&] { return gauge("sluice_gateway_handshakes_pending") == 0; }));
    EXPECT_EQ(gauge("sluice_gateway_handshakes_abandoned_total"), abandoned + double(count));
  });
}

TEST_F(Hostile, DribbledHeadsEndTogether) {
  start({"--handshake-timeout", "500ms"});
  const std::size_t count = 200;
  twice(gateway().process(), gateway().admin(), kGatewayGauges, kSlackBytes, [&] {
    const double before = refused("head_timeout");
    std::vector<Socket> slow;
    for (std::size_t i = 0; i < count; ++i) slow.push_back(Socket::connect(from(i)));
    EXPECT_TRUE(eventually(60s, [&] {
      for (Socket& socket : slow) (void)socket.try_send("G");
      return refused("head_timeout") == before + double(count);
    }));
    for (Socket& socket : slow) socket.reset();
    expect_service();
  });
}

// Acceptance: opened and closed in a loop, half of them in mid-handshake, twice.
TEST_F(Hostile, ManyOpenedAndClosedLeaveNothing) {
  const std::size_t count = full_size() ? 10000 : 2000;
  start();
  std::size_t round = 0;
  twice(gateway().process(), gateway().admin(), kGatewayGauges, kSlackBytes, [&] {
    const double opened = gauge("sluice_gateway_opened_total");
    const double abandoned = gauge("sluice_gateway_handshakes_abandoned_total");
    const std::string request = upgrade_bytes({});
    for (std::size_t i = 0; i < count; ++i) {
      if (i % 2 == 0) {
        Socket half = Socket::connect(from(i));
        half.send_all(request.substr(0, 1 + i % (request.size() - 1)));
        if (i % 4 == 0) half.reset();
        continue;
      }
      WsClient client = WsClient::dial(from(i));
      ASSERT_TRUE(client.open());
      if (i % 4 == 1) client.socket().reset();
    }
    const std::size_t half = count / 2;
    EXPECT_TRUE(eventually(60s, [&] {
      return gauge("sluice_gateway_handshakes_abandoned_total") >= abandoned + double(half);
    }));
    EXPECT_EQ(gauge("sluice_gateway_opened_total"), opened + double(count - half));
    expect_service();
    std::cout << "round " << ++round << ", " << count
              << " connections: " << gateway().process().fd_count() << " descriptors, "
              << gateway().process().anonymous_bytes() / 1024 << " KiB\n";
  });
}

// ---- the admin ports

class HostileAdmin : public ::testing::Test {
 protected:
  Stack stack_;
};

TEST_F(HostileAdmin, GarbageIsRefused) {
  for (const auto& [process, admin, gauge] :
       {std::make_tuple(&stack_.gateway().process(), stack_.gateway().admin(),
                        std::string("sluice_gateway_connections")),
        std::make_tuple(&stack_.relay().process(), stack_.relay().admin(),
                        std::string("sluice_relay_gateways"))}) {
    twice(*process, admin, {gauge}, kSlackBytes, [&, to = admin] {
      EXPECT_EQ(http_exchange(to, "nonsense\r\n\r\n").status, 400);
      EXPECT_EQ(http_exchange(to, client_hello()).status, 400);
      EXPECT_EQ(http_exchange(to, std::string(1000, '\0')).status, 400);
      EXPECT_EQ(http_exchange(to, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status, 505);
      EXPECT_EQ(http_exchange(to, "GET / HTTP/1.1\r\nX: " + std::string(20000, 'x')).status, 431);
      EXPECT_EQ(http_exchange(to, "GET /" + std::string(20000, 'x')).status, 431);
      EXPECT_EQ(http_exchange(to, "DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n").status, 405);
      const std::string pipelined =
          "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(30000, 'x');
      EXPECT_EQ(http_exchange(to, pipelined).status, 200);
      EXPECT_EQ(http_get(to, "/healthz").status, 200);
    });
  }
  EXPECT_GE(
      stack_.relay().metrics().value("sluice_relay_admin_refused_total", "reason=\"malformed\""),
      12);
}

/// Fills the listener with silent and dribbling peers, `places` of them served together.
void fill_admin(const Endpoint& admin, std::size_t places) {
  std::vector<Socket> held;
  for (std::size_t i = 0; i < places; ++i) held.push_back(Socket::connect(admin));
  EXPECT_TRUE(eventually(10s, [&] { return http_get(admin, "/healthz").status == 503; }));
  // They end, however they dribble; then there is room again.
  EXPECT_TRUE(eventually(60s, [&] {
    for (std::size_t i = 0; i < held.size(); i += 2) (void)held[i].try_send("G");
    return http_get(admin, "/healthz").status == 200;
  }));
  for (Socket& socket : held) EXPECT_NE(socket.read_some(30s).end, ReadEnd::kTimeout);
}

TEST_F(HostileAdmin, SlowPeersAreBoundedInNumberAndTime) {
  fill_admin(stack_.gateway().admin(), 64);
  twice(stack_.relay().process(), stack_.relay().admin(), {"sluice_relay_gateways"}, kSlackBytes,
        [&] { fill_admin(stack_.relay().admin(), 16); });
  const Metrics relay = stack_.relay().metrics();
  EXPECT_GE(relay.value("sluice_relay_admin_refused_total", "reason=\"full\""), 2);
  EXPECT_EQ(relay.value("sluice_relay_admin_refused_total", "reason=\"timeout\""), 32);
  WsClient client = WsClient::connect(stack_.gateway().endpoint());
  client.send_text("x");
  EXPECT_EQ(client.text(), "x");
}

}  // namespace
}  // namespace sluice::test
