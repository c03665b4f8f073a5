// What clients are in the middle of when their gateway ends, planned or killed, and the next one
// goes on with them: a greeting to come, a close, half a frame in either direction, a ping.
#include <gtest/gtest.h>
#include <signal.h>

#include <vector>

#include "tests/process/support/fault_proxy.h"
#include "tests/process/support/handoff_traffic.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

class HandoffStreams : public ::testing::Test {
 protected:
  HandoffStreams() = default;

  void start(Args args = {}) {
    HandoffStage::Settings settings;
    settings.gateway_args = std::move(args);
    stage_ = std::make_unique<HandoffStage>(std::move(settings));
    stage_->start();
  }
  WsClient join(const std::string& channel, int receive_buffer = 0) {
    UpgradeRequest request;
    request.path = "/channel/" + channel;
    WsClient client = WsClient::dial(stage_->endpoint(), request, receive_buffer);
    stage_->gateway().wait_line("subscribed to " + channel + "$");
    return client;
  }
  /// A client that stays, on the other gateway.
  WsClient join_beside(const std::string& channel) {
    WsClient client = WsClient::connect(stage_->beside().endpoint(), "/channel/" + channel);
    stage_->beside().wait_subscribed(channel);
    return client;
  }
  /// Everything that was sent has been worked off: `text` comes, said by `from` to `to`.
  static void expect_heard(WsClient& from, WsClient& to, const std::string& text) {
    from.send_text(text);
    EXPECT_EQ(to.text(), text);
  }
  void end(int number) {
    stage_->gateway().signal(number);
    (void)stage_->gateway().wait_exit();
  }
  void change(int number) {
    end(number);
    stage_->start();
  }

  std::unique_ptr<HandoffStage> stage_;
};

class HandoffStreamsByBoth : public HandoffStreams, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(All, HandoffStreamsByBoth, ::testing::Values(SIGUSR2, SIGKILL),
                         [](const auto& each) {
                           return each.param == SIGKILL ? "Killed" : "Planned";
                         });

TEST_P(HandoffStreamsByBoth, TheGreetingComesOnce) {
  start({"--greeting", "Welcome from {id}", "--greeting-delay", "700ms"});
  WsClient client = join("greet");
  WsClient beside = join_beside("greet");
  change(GetParam());
  EXPECT_EQ(client.text(), "Welcome from 1111");
  change(GetParam());
  // Behind another greeting, if there were one: that of a client that came later.
  WsClient later = join("greet");
  EXPECT_EQ(later.text(), "Welcome from 1111");
  expect_heard(beside, client, "nothing before this");
}

TEST_P(HandoffStreamsByBoth, NobodyIsTimedOutForThePause) {
  start({"--ping-interval", "100ms", "--pong-timeout", "300ms"});
  HandoffTraffic traffic(*stage_);
  WsClient silent = join("silent");
  silent.answer_pings(false);
  ASSERT_TRUE(traffic.goes_on());
  for (int i = 0; i < 3; ++i) {
    end(GetParam());
    // Longer than who answers nothing would be kept.
    (void)traffic.run_until([] { return false; }, 500ms);
    stage_->spawn();
    ASSERT_TRUE(traffic.goes_on());
  }
  stage_->wait_serving();
  EXPECT_TRUE(traffic.exact(HandoffTraffic::kSpeakers * 3));
  EXPECT_LE(traffic.closed(), GetParam() == SIGKILL ? 3U : 0U) << traffic.endings();
  // Who answers nothing is found out all the same.
  WsEvent last;
  do last = silent.next();
  while (last.kind == WsEvent::Kind::kPing);
  EXPECT_TRUE(last.kind == WsEvent::Kind::kEof || last.kind == WsEvent::Kind::kReset)
      << describe(last);
}

TEST_P(HandoffStreamsByBoth, DemoClientsGoOn) {
  start({"--demo", "--tag-messages"});
  WsClient demo = WsClient::connect(stage_->endpoint(), "/demo/channel/d");
  EXPECT_NE(demo.text().find(R"("type":"welcome")"), std::string::npos);
  WsClient beside = join_beside("d");
  for (int i = 0; i < 2; ++i) {
    change(GetParam());
    const std::string word = "word " + std::to_string(i);
    beside.send_text(word);
    const std::string heard = demo.text();
    EXPECT_NE(heard.find(R"("type":"message")"), std::string::npos) << heard;
    EXPECT_NE(heard.find(word), std::string::npos) << heard;
    EXPECT_EQ(beside.text(), word);
    demo.send_text("answer");
    EXPECT_EQ(beside.text(), "answer");
    EXPECT_NE(demo.text().find("answer"), std::string::npos);
  }
}

/// As a large message that its channel's slow clients have in part when their gateway ends.
TEST_P(HandoffStreamsByBoth, HalfSentFramesAreFinished) {
  start();
  constexpr std::size_t kChannels = 3;
  constexpr std::size_t kClients = 3;
  constexpr std::size_t kBytes = 60'000;
  std::vector<WsClient> clients;
  std::vector<WsClient> beside;
  for (std::size_t channel = 0; channel < kChannels; ++channel) {
    const std::string name = "large" + std::to_string(channel);
    for (std::size_t i = 0; i < kClients; ++i) clients.push_back(join(name, 4096));
    beside.push_back(join_beside(name));
  }
  // The first fills the kernel's buffers, until the gateway has something of each left.
  std::vector<std::vector<std::string>> said(kChannels);
  const auto say = [&](std::size_t channel, std::size_t size) {
    const std::size_t n = said[channel].size();
    said[channel].push_back(std::to_string(channel) + "/" + std::to_string(n) + "/" +
                            std::string(size, static_cast<char>('a' + n % 26)));
    beside[channel].send_text(said[channel].back());
    EXPECT_EQ(beside[channel].text(), said[channel].back());
  };
  const auto waiting = [&] { return stage_->metrics().value("sluice_gateway_client_queue_bytes"); };
  for (std::size_t channel = 0; channel < kChannels; ++channel) {
    const double before = waiting();
    while (waiting() < before + kClients * 100'000.0) say(channel, kBytes);
  }
  change(GetParam());
  for (std::size_t channel = 0; channel < kChannels; ++channel) say(channel, 10);
  change(GetParam());
  for (std::size_t channel = 0; channel < kChannels; ++channel) say(channel, 20);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    for (const std::string& text : said[i / kClients])
      ASSERT_TRUE(clients[i].text(20s) == text) << "client " << i;
  }
}

/// As a fragmented message of a client, with the gateway ending inside a header and a payload.
TEST_P(HandoffStreamsByBoth, HalfReceivedMessagesAreFinished) {
  start();
  WsClient client = join("up");
  WsClient other = join("up");
  WsClient beside = join_beside("up");
  const std::string bytes = client_frame(WsOpcode::kText, "one, ", false) +
                            client_frame(WsOpcode::kPing, "between") +
                            client_frame(WsOpcode::kContinuation, std::string(300, 'x'), false) +
                            client_frame(WsOpcode::kContinuation, " three", true);
  const std::string whole = "one, " + std::string(300, 'x') + " three";
  // Inside: the first header, its payload, the ping, the long header, its payload, the last header.
  const std::size_t cuts[] = {1, 8, 14, 28, 100, 335, bytes.size()};
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    client.send_raw(bytes.substr(at, cut - at));
    at = cut;
    if (cut == bytes.size()) break;
    // What this one says is read no earlier.
    expect_heard(other, beside, "turn " + std::to_string(cut));
    EXPECT_EQ(other.text(), "turn " + std::to_string(cut));
    if (cut == 28) {
      const WsEvent pong = client.next();
      EXPECT_EQ(pong.kind, WsEvent::Kind::kPong) << describe(pong);
      EXPECT_EQ(pong.data, "between");
    }
    EXPECT_EQ(client.text(), "turn " + std::to_string(cut));
    // Five crashes in a minute end the patience of a keeper.
    if (GetParam() == SIGUSR2 || (cut != 8 && cut != 28)) change(GetParam());
  }
  EXPECT_EQ(beside.text(), whole);
  EXPECT_EQ(client.text(), whole);
}

TEST_P(HandoffStreamsByBoth, ACloseUnderWayIsFinished) {
  start();
  WsClient told = join("close");
  told.answer_close(false);
  told.send_raw(unmasked_frame(WsOpcode::kText, "not allowed"));
  EXPECT_EQ(told.next().code, 1002);
  // This one has not taken what is before its close frame.
  WsClient slow = join("full", 4096);
  slow.answer_close(false);
  WsClient beside = join_beside("full");
  std::size_t messages = 0;
  const std::string large(60'000, 'f');
  while (stage_->metrics().value("sluice_gateway_client_queue_bytes") < 100'000) {
    beside.send_text(large);
    EXPECT_EQ(beside.text(), large);
    ++messages;
  }
  slow.send_raw(unmasked_frame(WsOpcode::kText, "not allowed"));
  WsClient other = join("other");
  expect_heard(other, other, "all of that has been read");
  change(GetParam());
  for (std::size_t i = 0; i < messages; ++i) ASSERT_TRUE(slow.text(20s) == large) << i;
  EXPECT_EQ(slow.next().code, 1002);
  for (WsClient* client : {&told, &slow}) {
    client->send_close(1002);
    const WsEvent end = client->next();
    EXPECT_EQ(end.kind, WsEvent::Kind::kEof) << describe(end);
  }
  EXPECT_TRUE(eventually(5s, [&] { return stage_->clients() == 1; }));
}

/// A relay of a release that does not know the flag: what was missed can't be counted, and nobody
/// is closed for that.
TEST_F(HandoffStreams, AnOldRelayMakesItAGap) {
  stage_ = std::make_unique<HandoffStage>();
  Endpoint relay;
  relay.path = stage_->relay().socket_path();
  FaultProxy proxy(relay, stage_->directory().file("old.sock"));
  // A WELCOME's flags, kResumed and kTellsAll: the latter is new.
  proxy.tamper([](std::string& bytes) {
    if (bytes.size() > 32 && bytes[4] == 2 && bytes[5] == 3) bytes[5] = 1;
  });
  stage_->settings().relay = proxy.endpoint().text();
  stage_->settings().gateway_args = {"--demo"};
  stage_->start();
  WsClient demo = WsClient::connect(stage_->endpoint(), "/demo/channel/old");
  EXPECT_NE(demo.text().find(R"("type":"welcome")"), std::string::npos);
  WsClient plain = join("old");
  WsClient beside = join_beside("old");
  expect_heard(beside, plain, "before");
  EXPECT_EQ(beside.text(), "before");
  EXPECT_NE(demo.text().find("before"), std::string::npos);
  end(SIGUSR2);
  expect_heard(beside, beside, "meanwhile");
  stage_->start();
  stage_->gateway().wait_line("the relay is too old to go on with a new process");
  stage_->gateway().wait_line("subscribed to old$");
  const std::string gap = demo.text();
  EXPECT_NE(gap.find(R"("type":"gap")"), std::string::npos) << gap;
  expect_heard(beside, plain, "after");
  EXPECT_NE(demo.text().find("after"), std::string::npos);
}

}  // namespace
}  // namespace sluice::test
