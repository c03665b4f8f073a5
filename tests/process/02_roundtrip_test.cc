// What one client sends, every subscriber of the channel on every gateway gets: over the embedded
// broker and over Redis.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

class Roundtrip : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static bool with_redis() { return std::string(GetParam()) != "memory"; }

  void start(std::size_t gateways, Args gateway_args = {}) {
    Stack::Settings settings;
    settings.gateways = gateways;
    settings.gateway_args = std::move(gateway_args);
    if (with_redis()) {
      redis_ = std::make_unique<RedisServer>(redis_directory_);
      const bool by_socket = std::string(GetParam()) == "redis_unix";
      settings.relay_args = {"--broker", by_socket ? redis_->unix_url() : redis_->url()};
    }
    stack_ = std::make_unique<Stack>(std::move(settings));
  }
  /// A client that misses nothing from here on: its gateway's subscription stands.
  WsClient connect(std::size_t gateway, const std::string& path = "/") {
    WsClient client = WsClient::connect(stack_->gateway(gateway).endpoint(), path);
    const std::string prefix = "/channel/";
    stack_->gateway(gateway).wait_subscribed(path == "/" ? "livechat" : path.substr(prefix.size()));
    return client;
  }

  TempDir redis_directory_;
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<Stack> stack_;
};

INSTANTIATE_TEST_SUITE_P(Broker, Roundtrip, ::testing::Values("memory", "redis", "redis_unix"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Roundtrip, EverySubscriberOnEveryGateway) {
  start(4);
  WsSwarm swarm;
  for (std::size_t i = 0; i < 4; ++i) {
    swarm.connect(stack_->gateway(i).endpoint(), 5);
    stack_->gateway(i).wait_subscribed();
  }
  for (int round = 0; round < 50; ++round) {
    for (std::size_t i = 0; i < 20; ++i) swarm.publish(i);
  }
  EXPECT_TRUE(swarm.run_until(30s, [&] { return swarm.all_received(0, 20, 1000); }));
  EXPECT_FALSE(swarm.run_until(50ms, [&] { return swarm.received() > 20000; }));
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
  for (std::size_t i = 0; i < 20; ++i) {
    for (std::size_t sender = 0; sender < 20; ++sender) {
      EXPECT_EQ(swarm.client(i).last[sender], 50U);
    }
  }
}

TEST_P(Roundtrip, TagIsTheDeliveringGateways) {
  start(2, {"--tag-messages"});
  WsClient one = connect(0);
  WsClient two = connect(1);
  one.send_text("Hello! I'm client");
  EXPECT_EQ(one.text(), "1111:Hello! I'm client");
  EXPECT_EQ(two.text(), "2222:Hello! I'm client");
}

TEST_P(Roundtrip, GreetingComesOnceAndLate) {
  start(2, {"--greeting", "Connected successfully to server {id}", "--greeting-delay", "300ms"});
  const SteadyClock::time_point began = SteadyClock::now();
  WsClient leaver = connect(1);
  leaver.socket().close();
  WsClient client = connect(1);
  EXPECT_EQ(client.text(), "Connected successfully to server 2222");
  EXPECT_GE(SteadyClock::now() - began, 250ms);
  EXPECT_TRUE(client.quiet(400ms));
}

TEST_P(Roundtrip, TextStaysTextAndBinaryBinary) {
  start(2);
  WsClient one = connect(0);
  WsClient two = connect(1);
  for (const std::string& text : {std::string("plain"), std::string("ümläut € 😀"), std::string()}) {
    one.send_text(text);
    EXPECT_EQ(two.text(), text);
    EXPECT_EQ(one.text(), text);
  }
  const std::string bytes("\x00\xFF\xC0\x80\x01", 5);
  one.send_binary(bytes);
  EXPECT_EQ(two.binary(), bytes);
  EXPECT_EQ(one.binary(), bytes);
}

TEST_P(Roundtrip, FirstClientThatSendsAtOnceHearsItself) {
  start(2);
  int heard = 0;
  for (int i = 0; i < 1000; ++i) {
    // A channel that nobody has ever subscribed to: its subscription and this publish race through
    // the broker.
    WsClient client = WsClient::connect(stack_->gateway(static_cast<std::size_t>(i % 2)).endpoint(),
                                        "/channel/c" + std::to_string(i));
    client.send_text("hear me");
    if (client.text() == "hear me") ++heard;
  }
  EXPECT_EQ(heard, 1000);
}

TEST_P(Roundtrip, OrderOfOneSenderHolds) {
  start(2);
  WsClient sender = connect(0);
  WsClient receiver = connect(1);
  for (int i = 0; i < 5000; ++i) sender.send_text(std::to_string(i));
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(receiver.text(), std::to_string(i));
}

TEST_P(Roundtrip, LargeMessagesUpToTheLimit) {
  start(2, {"--max-message-size", "1MiB", "--client-queue-bytes", "4MiB"});
  WsClient one = connect(0);
  WsClient two = connect(1);
  for (const std::size_t size : {65535, 65536, 300000, 1 << 20}) {
    const std::string message(size, 'm');
    one.send_text(message);
    EXPECT_EQ(two.text(), message);
    EXPECT_EQ(one.text(), message);
  }
  one.send_text(std::string((1 << 20) + 1, 'm'));
  EXPECT_EQ(one.wait_close().code, 1009);
  EXPECT_TRUE(two.quiet(100ms));
}

TEST_P(Roundtrip, LimitHoldsForTheWholeMessage) {
  start(1, {"--max-message-size", "1000B"});
  WsClient exact = connect(0);
  exact.send_frame(WsOpcode::kText, std::string(500, 'a'), false);
  exact.send_frame(WsOpcode::kContinuation, std::string(500, 'a'));
  EXPECT_EQ(exact.text().size(), 1000U);
  exact.send_frame(WsOpcode::kText, std::string(500, 'a'), false);
  exact.send_frame(WsOpcode::kContinuation, std::string(501, 'a'), false);
  EXPECT_EQ(exact.wait_close().code, 1009);
}

TEST_P(Roundtrip, FragmentsBecomeOneMessage) {
  start(2);
  WsClient one = connect(0);
  WsClient two = connect(1);
  one.send_frame(WsOpcode::kText, "f", false);
  one.send_frame(WsOpcode::kContinuation, "", false);
  one.send_frame(WsOpcode::kPing, "in between");
  one.send_frame(WsOpcode::kContinuation, "rag\xE2\x82", false);  // a character cut in two
  one.send_frame(WsOpcode::kContinuation, "\xAC!");
  EXPECT_EQ(describe(one.next()), "pong 'in between'");
  EXPECT_EQ(two.text(), "frag€!");
  EXPECT_EQ(one.text(), "frag€!");
}

TEST_P(Roundtrip, TextThatIsNotUtf8Closes) {
  start(1);
  for (const char* bad : {"\xFF", "ok \xC0\x80", "\xED\xA0\x80", "cut \xE2\x82"}) {
    WsClient client = connect(0);
    client.send_text(bad);
    EXPECT_EQ(client.wait_close().code, 1007);
  }
  // Fails at its bad byte, not at its end.
  WsClient early = connect(0);
  early.send_frame(WsOpcode::kText, "bad \xFF", false);
  EXPECT_EQ(early.wait_close().code, 1007);
}

TEST_P(Roundtrip, FramesAgainstTheRfcClose) {
  start(1);
  const auto closes_with = [&](const std::string& bytes, int code) {
    WsClient client = connect(0);
    client.send_raw(bytes);
    const WsEvent event = client.wait_close();
    // A server may also just end the connection (RFC 6455 7.1.7).
    EXPECT_TRUE(event.code == code || event.kind == WsEvent::Kind::kEof ||
                event.kind == WsEvent::Kind::kReset)
        << describe(event);
  };
  closes_with(std::string("\xC1\x80\0\0\0\0", 6), 1002);          // reserved bit
  closes_with(std::string("\x83\x80\0\0\0\0", 6), 1002);          // reserved opcode
  closes_with(client_frame(WsOpcode::kContinuation, "x"), 1002);  // of nothing
  closes_with(client_frame(WsOpcode::kPing, "x", false), 1002);   // fragmented control
  closes_with(client_frame(WsOpcode::kPing, std::string(126, 'x')), 1002);
  closes_with(client_frame(WsOpcode::kText, "a", false) + client_frame(WsOpcode::kText, "b"), 1002);
  WsClient fine = connect(0);
  fine.send_text("still serving");
  EXPECT_EQ(fine.text(), "still serving");
}

// RFC 6455 5.1 wants a close. libwebsockets 4.1 takes the frame as it stands and tells its user
// nothing of the mask, so closing is not ours to promise; that nobody else notices is.
TEST_P(Roundtrip, PingsAreAnswered) {
  start(1);
  WsClient client = connect(0);
  for (const std::string& payload : {std::string(), std::string("x"), std::string(125, 'p')}) {
    client.send_frame(WsOpcode::kPing, payload);
    const WsEvent event = client.next();
    EXPECT_EQ(event.kind, WsEvent::Kind::kPong);
    EXPECT_EQ(event.data, payload);
  }
}

TEST_P(Roundtrip, WhoAnswersPingsStays) {
  start(1, {"--ping-interval", "200ms", "--pong-timeout", "300ms"});
  WsClient client = connect(0);
  EXPECT_TRUE(client.quiet(2500ms));
  EXPECT_GE(client.pings(), 8);
  client.send_text("alive");
  EXPECT_EQ(client.text(), "alive");
}

TEST_P(Roundtrip, WhoDoesNotIsClosed) {
  start(1, {"--ping-interval", "500ms", "--pong-timeout", "500ms"});
  WsClient deaf = connect(0);
  deaf.answer_pings(false);
  EXPECT_EQ(deaf.next(3s).kind, WsEvent::Kind::kPing);
  (void)deaf.wait_close(3s);  // throws when it does not come
  stack_->gateway(0).process().wait_line("client closed.*no_pong");
}

TEST_P(Roundtrip, CloseIsAnswered) {
  start(1);
  for (const std::uint16_t code : {1000, 1001, 3000, 4999}) {
    WsClient client = connect(0);
    client.send_close(code, "bye");
    EXPECT_EQ(client.wait_close().code, code);
    EXPECT_EQ(client.next().kind, WsEvent::Kind::kEof);
  }
}

// --- other programs on the same Redis ---

class Interop : public Roundtrip {
 protected:
  SpawnOptions redis_cli(Args words) {
    SpawnOptions options;
    options.args = {"/usr/bin/redis-cli", "-p", std::to_string(redis_->port())};
    options.args.insert(options.args.end(), words.begin(), words.end());
    return options;
  }
};

INSTANTIATE_TEST_SUITE_P(Broker, Interop, ::testing::Values("redis"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Interop, RedisCliPublishReachesTheClients) {
  start(2, {"--tag-messages"});
  WsClient one = connect(0);
  WsClient two = connect(1);
  EXPECT_EQ(run(redis_cli({"PUBLISH", "livechat", "hi"})).output, "1\n");
  EXPECT_EQ(one.text(), "1111:hi");
  EXPECT_EQ(two.text(), "2222:hi");
}

TEST_P(Interop, RedisCliSubscriberSeesTheClients) {
  start(2, {"--tag-messages"});
  Process subscriber(redis_cli({"SUBSCRIBE", "livechat"}));
  subscriber.wait_line("livechat");
  ASSERT_TRUE(eventually(5s, [&] { return redis_->subscribers("livechat") >= 1; }));
  WsClient client = connect(0);
  client.send_text("from a browser");
  // Exactly the bytes: no tag, no envelope.
  EXPECT_EQ(subscriber.wait_line("from a browser")[0].find("1111"), std::string::npos);
  EXPECT_EQ(client.text(), "1111:from a browser");
}

TEST_P(Interop, BinaryFromRedisIsBinary) {
  start(1);
  WsClient client = connect(0);
  client.send_text("x");
  EXPECT_EQ(client.text(), "x");
  redis_->command({"PUBLISH", "livechat", std::string("\xFF\x00", 2)});
  EXPECT_EQ(client.binary(), std::string("\xFF\x00", 2));
  redis_->command({"PUBLISH", "livechat", "text"});
  EXPECT_EQ(client.text(), "text");
}

TEST_P(Interop, TwoConnectionsHoweverManyGateways) {
  start(4);
  std::vector<WsClient> clients;
  for (std::size_t i = 0; i < 4; ++i) {
    clients.push_back(connect(i));
    clients.push_back(connect(i, "/channel/other"));
    clients.back().send_text("x");
    EXPECT_EQ(clients.back().text(), "x");
  }
  EXPECT_EQ(redis_->clients().size(), 2U);
  EXPECT_EQ(redis_->subscribers("livechat"), 1);
  const auto list = redis_->clients();
  for (const auto& line : list) EXPECT_EQ(line.find("name= "), std::string::npos) << line;
}

}  // namespace
}  // namespace sluice::test
