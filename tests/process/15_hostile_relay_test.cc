// Hostile peers of the relay: on its socket, and a Redis that delivers what no link carries or
// speaks nonsense. At most that link is closed, with the right code, counted and said at a bounded
// rate.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <memory>
#include <thread>

#include "tests/process/support/baseline.h"
#include "tests/process/support/daemons.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

const std::vector<std::string> kRelayGauges{"sluice_relay_gateways", "sluice_relay_subscriptions",
                                            "sluice_relay_gateway_queue_bytes",
                                            "sluice_relay_publishes_in_flight"};
constexpr std::uint64_t kSlackBytes = 2U << 20U;

// Frames of the relay link, written from PROTOCOL.md alone.

template <typename T>
std::string little(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    bytes.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }
  return bytes;
}
std::string text_field(const std::string& text) {
  return little(static_cast<std::uint16_t>(text.size())) + text;
}
std::string header(std::uint32_t length, std::uint8_t type, std::uint8_t flags = 0,
                   std::uint32_t channel = 0) {
  return little(length) + little(type) + little(flags) + little(std::uint16_t{0}) +
         little(channel) + std::string(20, '\0');
}
std::string frame(std::uint8_t type, const std::string& body, std::uint32_t channel = 0) {
  return header(static_cast<std::uint32_t>(body.size()), type, 0, channel) + body;
}
std::string hello(const std::string& id, std::uint16_t lowest = 1, std::uint16_t highest = 1,
                  std::uint32_t magic = 0x43554C53) {
  return frame(1, little(magic) + little(lowest) + little(highest) + little(std::uint64_t{0}) +
                      text_field(id) + text_field("test"));
}
/// The code of the first ERROR frame; 0: none stands there.
std::uint32_t error_code(const std::string& bytes) {
  for (std::size_t at = 0; at + 32 <= bytes.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[at + i]); };
    if (byte(4) == 9) return byte(12);
    at += 32U + byte(0) + 256U * byte(1);
  }
  return 0;
}

class HostileLink : public ::testing::Test {
 protected:
  void start(Args relay_args = {}) {
    Stack::Settings settings;
    settings.relay_args = std::move(relay_args);
    stack_ = std::make_unique<Stack>(std::move(settings));
    witness_ = std::make_unique<WsClient>(WsClient::connect(stack_->gateway().endpoint()));
    stack_->gateway().wait_subscribed();
    expect_service();
  }
  Relay& relay() { return stack_->relay(); }
  Endpoint link() {
    Endpoint to;
    to.path = relay().socket_path();
    return to;
  }
  double refused(const std::string& reason) {
    return relay().metrics().value("sluice_relay_links_refused_total", "reason=\"" + reason + "\"");
  }
  void expect_service() {
    witness_->send_text("there?");
    EXPECT_EQ(witness_->text(), "there?");
  }
  double losses() { return stack_->gateway().metrics().value("sluice_gateway_relay_losses_total"); }

  std::unique_ptr<Stack> stack_;
  std::unique_ptr<WsClient> witness_;
};

struct Attack {
  std::string name;
  std::string bytes;
  std::uint32_t code;
  std::string reason;
};

std::vector<Attack> attacks() {
  const std::string welcome = hello("stranger");
  return {
      {"zeros", std::string(64, '\0'), 1, "malformed"},
      {"ones", std::string(64, '\xFF'), 1, "malformed"},
      {"HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 1, "malformed"},
      {"TLS", "\x16\x03\x01\x02" + std::string(500, '\xA5'), 1, "malformed"},
      {"no HELLO first", frame(3, little(std::uint64_t{0}) + text_field("c")), 1, "malformed"},
      {"wrong magic", hello("stranger", 1, 1, 1), 1, "malformed"},
      {"HELLO cut short", frame(1, little(std::uint32_t{0x43554C53})), 1, "malformed"},
      {"a later version", hello("stranger", 200, 300), 2, "version"},
      {"no id", hello(""), 4, "bad_id"},
      {"an id with blanks", hello("a b"), 4, "bad_id"},
      {"the id of another", hello("1111"), 3, "in_use"},
      {"HELLO twice", welcome + welcome, 1, "malformed"},
      {"what a relay sends", welcome + frame(10, "payload", 1), 1, "malformed"},
      {"an unknown type", welcome + frame(99, ""), 1, "malformed"},
      {"4 GiB announced", welcome + header(0xFFFFFFFF, 7), 1, "malformed"},
      {"a large control frame", welcome + header(5000, 3), 1, "malformed"},
      {"a name of no bytes", welcome + frame(3, little(std::uint64_t{0}) + text_field("")), 1,
       "malformed"},
  };
}

TEST_F(HostileLink, GarbageEndsItsLinkAlone) {
  start();
  const double lost = losses();
  twice(relay().process(), relay().admin(), kRelayGauges, kSlackBytes, [&] {
    for (const Attack& attack : attacks()) {
      const double before = refused(attack.reason);
      Socket socket = Socket::connect(link());
      (void)socket.try_send(attack.bytes);
      EXPECT_EQ(error_code(socket.read_all(10s)), attack.code) << attack.name;
      EXPECT_NE(socket.read_some(0ms).end, ReadEnd::kTimeout) << attack.name;
      EXPECT_EQ(refused(attack.reason), before + 1) << attack.name;
    }
    expect_service();
  });
  EXPECT_EQ(losses(), lost);
}

TEST_F(HostileLink, SilentLinksAreBoundedInNumberAndTime) {
  start({"--max-gateways", "2"});
  constexpr std::size_t kPlaces =
      2 + 16 + 16 - 1;  // gateways, tools, unnamed; one is the gateway's
  twice(relay().process(), relay().admin(), kRelayGauges, kSlackBytes, [&] {
    const double too_many = refused("too_many");
    const double malformed = refused("malformed");
    std::vector<Socket> silent;
    for (std::size_t i = 0; i < kPlaces; ++i) silent.push_back(Socket::connect(link()));
    for (int i = 0; i < 20; ++i) {
      Socket more = Socket::connect(link());
      EXPECT_EQ(error_code(more.read_all(10s)), 5U);
    }
    EXPECT_EQ(refused("too_many"), too_many + 20);
    expect_service();
    for (Socket& socket : silent) EXPECT_EQ(error_code(socket.read_all(20s)), 1U);
    EXPECT_EQ(refused("malformed"), malformed + double(kPlaces));
  });
  EXPECT_LE(relay().process().lines("refused links beyond").size(), 2U);
}

TEST_F(HostileLink, WhoClaimsAnothersIdIsSaidOnce) {
  start();
  const double lost = losses();
  constexpr int kTries = 40;
  twice(relay().process(), relay().admin(), kRelayGauges, kSlackBytes, [&] {
    const std::size_t mark = relay().process().mark();
    const double before = refused("in_use");
    for (int i = 0; i < kTries; ++i) {
      Socket socket = Socket::connect(link());
      socket.send_all(hello("1111"));
      EXPECT_EQ(error_code(socket.read_all(10s)), 3U);
    }
    EXPECT_EQ(refused("in_use"), before + kTries);
    relay().process().wait_line(
        "refusals of gateway 1111 have ended: " + std::to_string(kTries - 1) + " more", 30s, mark);
    EXPECT_EQ(relay().process().lines("refused gateway 1111", mark).size(), 1U);
    expect_service();
  });
  EXPECT_EQ(losses(), lost);
}

/// As another user: connects and returns the code that the relay answers.
std::uint32_t code_for_uid(uid_t uid, const Endpoint& to) {
  int ends[2];
  if (::pipe(ends) != 0) throw_errno("pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) throw_errno("fork");
  if (child == 0) {
    std::uint32_t code = 255;
    if (::setgroups(0, nullptr) == 0 && ::setgid(uid) == 0 && ::setuid(uid) == 0) {
      try {
        Socket socket = Socket::connect(to);
        (void)socket.try_send(hello("stranger"));
        code = error_code(socket.read_all(10s));
      } catch (const std::exception&) {
        code = 254;
      }
    }
    (void)!::write(write_end.get(), &code, sizeof code);
    ::_exit(0);
  }
  write_end.reset();
  std::uint32_t code = 253;
  (void)!::read(read_end.get(), &code, sizeof code);
  ::waitpid(child, nullptr, 0);
  return code;
}

TEST_F(HostileLink, PeerOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  start({"--socket-mode", "0666"});
  ASSERT_EQ(::chmod(stack_->directory().path().c_str(), 0755), 0);
  constexpr uid_t kNobody = 65534;
  twice(relay().process(), relay().admin(), kRelayGauges, kSlackBytes, [&] {
    const double before = refused("not_permitted");
    for (int i = 0; i < 10; ++i) EXPECT_EQ(code_for_uid(kNobody, link()), 5U);
    EXPECT_EQ(refused("not_permitted"), before + 10);
    expect_service();
  });
  EXPECT_LE(relay().process().lines("uid 65534 is not allowed").size(), 2U);
}

// ---- Redis

class HostileRedis : public ::testing::Test {
 protected:
  void start() {
    Stack::Settings settings;
    settings.relay_args = {"--broker", redis_.url()};
    stack_ = std::make_unique<Stack>(std::move(settings));
    big_ = std::make_unique<WsClient>(WsClient::connect(endpoint(), "/channel/big"));
    other_ = std::make_unique<WsClient>(WsClient::connect(endpoint(), "/channel/other"));
    stack_->gateway().wait_subscribed("big");
    stack_->gateway().wait_subscribed("other");
    exchange(*big_);
    exchange(*other_);
  }
  Endpoint endpoint() { return stack_->gateway().endpoint(); }
  void exchange(WsClient& client) {
    client.send_text("there?");
    EXPECT_EQ(client.text(20s), "there?");
  }
  void publish(const std::string& channel, const std::string& payload) {
    RespClient client(redis_.unix_endpoint());
    EXPECT_EQ(client.command({"PUBLISH", channel, payload}, 60s), "1");
  }
  Metrics relay() { return stack_->relay().metrics(); }
  double gaps(const std::string& cause) {
    return relay().value("sluice_relay_gap_events_total", "cause=\"" + cause + "\"");
  }

  TempDir directory_;
  RedisServer redis_{directory_};
  std::unique_ptr<Stack> stack_;
  std::unique_ptr<WsClient> big_;
  std::unique_ptr<WsClient> other_;
};

TEST_F(HostileRedis, MessageFarAboveTheLimitIsSkippedAndTold) {
  // Redis' own bound on what a subscriber may have waiting (32 MB) would end the connection.
  redis_.command({"CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0"});
  start();
  const std::string huge(64U << 20U, 'x');
  Process& process = stack_->relay().process();
  twice(process, stack_->relay().admin(), kRelayGauges, kSlackBytes, [&] {
    const double before = relay().value("sluice_relay_messages_oversized_total");
    const std::size_t mark = stack_->gateway().process().mark();
    process.reset_peak();
    const std::uint64_t base = process.peak_rss_bytes();
    publish("big", huge);
    stack_->gateway().process().wait_line(
        "gap channel=big cause=\"oversized\" messages=1 duration_ms=0", 60s, mark);
    const std::uint64_t grown = process.peak_rss_bytes() - base;
    std::cout << "64 MiB message: the relay grew by " << grown / 1024 << " KiB\n";
    if (!sanitized()) {
      EXPECT_LT(grown, 4U << 20U);
    }
    EXPECT_EQ(relay().value("sluice_relay_messages_oversized_total"), before + 1);
    exchange(*other_);
    exchange(*big_);
  });
  EXPECT_EQ(gaps("oversized"), 2);
  EXPECT_EQ(gaps("broker"), 0);
  EXPECT_EQ(relay().value("sluice_relay_broker_connections_lost_total"), 0);
  EXPECT_EQ(relay().value("sluice_relay_messages_lost_total"), 2);
}

// Redis cuts a subscriber that has more than 32 MB waiting: every channel missed something, and
// each is told.
TEST_F(HostileRedis, WithRedisOwnBoundItIsALossOfTheConnection) {
  start();
  const std::size_t mark = stack_->gateway().process().mark();
  publish("big", std::string(64U << 20U, 'x'));
  for (const std::string channel : {"big", "other"}) {
    stack_->gateway().process().wait_line(
        "gap channel=" + channel + " cause=\"broker\" messages=unknown", 60s, mark);
  }
  exchange(*other_);
  exchange(*big_);
  EXPECT_EQ(gaps("broker"), 2);
}

/// Speaks enough of Redis for a handshake, then nonsense to whoever subscribes.
class LyingRedis {
 public:
  LyingRedis() : listener_(listen_tcp(0, &port_)), thread_([this] { serve(); }) {}
  ~LyingRedis() {
    ended_ = true;
    thread_.join();
  }
  [[nodiscard]] std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int subscribers() const { return subscribers_; }

 private:
  void serve() {
    (void)::fcntl(listener_.get(), F_SETFL, O_NONBLOCK);
    std::vector<Socket> clients;
    while (!ended_) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) clients.emplace_back(UniqueFd(fd));
      for (Socket& client : clients) answer(client);
    }
  }
  void answer(Socket& client) {
    const std::string asked = client.read_some(2ms).data;
    const std::string role = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
    std::string reply;
    if (asked.find("SETNAME") != std::string::npos) {
      reply = "+OK\r\n" + role + "$2\r\nxx\r\n+PONG\r\n";
    } else if (asked.find("SUBSCRIBE") != std::string::npos) {
      ++subscribers_;
      reply = "*3\r\n$9\r\nsubscribe\r\n$8\r\nlivechat\r\n:1\r\n*3\r\n*3\r\n\x01\x02 nonsense";
    } else if (asked.find("ROLE") != std::string::npos) {
      reply = role + "+PONG\r\n";
    }
    if (!reply.empty()) (void)client.try_send(reply);
  }

  std::uint16_t port_ = 0;
  UniqueFd listener_;
  std::atomic<bool> ended_ = false;
  std::atomic<int> subscribers_ = 0;
  std::thread thread_;
};

TEST(LyingRedisTest, NonsenseEndsTheConnectionWithALineAndIsTriedAgain) {
  const TempDir directory;
  LyingRedis redis;
  Relay relay(directory, {"--broker", redis.url()});
  GatewaySettings settings;
  settings.relay = relay.address();
  Gateway gateway(std::move(settings));
  const WsClient client = WsClient::connect(gateway.endpoint());
  relay.process().wait_line(
      "broker away: Redis sent bytes that were not understood: an element of a push is no string");
  EXPECT_TRUE(eventually(20s, [&] { return redis.subscribers() >= 3; }));
  EXPECT_TRUE(relay.process().running());
  EXPECT_GE(relay.metrics().value("sluice_relay_broker_connections_lost_total"), 2);
}

}  // namespace
}  // namespace sluice::test
