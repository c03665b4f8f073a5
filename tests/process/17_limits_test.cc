// How much one client, and one address, may do: what is over it is refused clearly, counted, and
// costs the others nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "tests/process/support/daemons.h"
#include "tests/process/support/proxy_header.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

class Limits : public ::testing::Test {
 protected:
  Gateway& start(Args args) {
    Stack::Settings settings;
    settings.gateway_args = std::move(args);
    stack_ = std::make_unique<Stack>(std::move(settings));
    return stack_->gateway();
  }
  double metric(const std::string& name, const std::string& label) {
    return stack_->gateway().metrics().value(name, label);
  }
  double rate_limited() { return metric("sluice_gateway_closed_total", "rate_limited"); }
  HttpResponse dial(const std::string& before) {
    UpgradeRequest request;
    request.before = before;
    return WsClient::dial(stack_->gateway().endpoint(), request).response();
  }

  std::unique_ptr<Stack> stack_;
};

TEST_F(Limits, TooManyMessagesClose1008) {
  start({"--client-message-rate", "1/s", "--client-message-burst", "20"});
  WsClient other = WsClient::connect(stack_->gateway().endpoint());
  for (int round = 1; round <= 2; ++round) {
    WsClient client = WsClient::connect(stack_->gateway().endpoint());
    for (int i = 0; i < 20; ++i) client.send_text("within");
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(client.text(), "within");
      EXPECT_EQ(other.text(), "within");
    }
    for (int i = 0; i < 10; ++i) client.send_text("over");
    const WsEvent close = client.wait_close();
    EXPECT_EQ(close.code, 1008);
    EXPECT_EQ(close.data, "too many messages");
    EXPECT_TRUE(eventually(10s, [&] { return rate_limited() == round; }));
  }
  other.send_text("mine");
  // At most what a second or two of refilling let through came in between.
  std::string heard = other.text();
  for (int i = 0; i < 20 && heard == "over"; ++i) heard = other.text();
  EXPECT_EQ(heard, "mine");
}

TEST_F(Limits, PingsAndEmptyFragmentsCountToo) {
  start({"--client-message-rate", "1/s", "--client-message-burst", "20"});
  WsClient pings = WsClient::connect(stack_->gateway().endpoint());
  for (int i = 0; i < 40; ++i) pings.send_frame(WsOpcode::kPing, "flood");
  EXPECT_EQ(pings.wait_close().code, 1008);
  WsClient fragments = WsClient::connect(stack_->gateway().endpoint());
  fragments.send_frame(WsOpcode::kText, "begin", false);
  for (int i = 0; i < 40; ++i) fragments.send_frame(WsOpcode::kContinuation, "", false);
  EXPECT_EQ(fragments.wait_close().code, 1008);
  EXPECT_TRUE(eventually(10s, [&] { return rate_limited() == 2; }));
}

TEST_F(Limits, ARateThatIsKeptIsNoProblem) {
  start({"--client-message-rate", "200/s", "--client-message-burst", "20"});
  WsSwarm swarm;
  swarm.connect(stack_->gateway().endpoint(), 1);
  swarm.run_paced(300, 10ms, [&](std::size_t) { swarm.publish(0); });
  EXPECT_TRUE(swarm.run_until(10s, [&] { return swarm.all_received(0, 1, 300); }));
  EXPECT_EQ(rate_limited(), 0);
}

TEST_F(Limits, AnAddressThatComesTooFastHears429) {
  start({"--connection-rate-per-ip", "0.2/s"});  // one at once, the next after five seconds
  const HttpResponse first = WsClient::dial(stack_->gateway().endpoint()).response();
  EXPECT_EQ(first.status, 101);
  const HttpResponse second = WsClient::dial(stack_->gateway().endpoint()).response();
  EXPECT_EQ(second.status, 429);
  EXPECT_EQ(second.headers.at("retry-after"), "1");
  EXPECT_EQ(metric("sluice_gateway_refused_total", "address_too_fast"), 1);
  Endpoint elsewhere = stack_->gateway().endpoint();
  elsewhere.source = "127.0.0.2";
  EXPECT_TRUE(WsClient::dial(elsewhere).open());
}

TEST_F(Limits, AddressesBehindAProxyAreToldApart) {
  start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.0/8",
         "--connection-rate-per-ip", "0.2/s"});
  EXPECT_EQ(dial(proxy_v1("203.0.113.7", 1)).status, 101);
  EXPECT_EQ(dial(proxy_v1("203.0.113.7", 2)).status, 429);
  EXPECT_EQ(dial(proxy_v1("203.0.113.8", 1)).status, 101);
}

/// Twice as many clients as there is room for keep coming, and one keeps sending three times what
/// it may, on a channel of its own: in a thread, so that the measured clients are served meanwhile.
class Crowd {
 public:
  explicit Crowd(Endpoint to) : thread_([this, to = std::move(to)] { run(to); }) {}
  ~Crowd() { stop(); }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::size_t refused() const { return refused_; }
  [[nodiscard]] std::size_t unexpected() const { return unexpected_; }

 private:
  void run(const Endpoint& to) {
    UpgradeRequest to_flood;
    to_flood.path = "/channel/flood";
    std::optional<WsClient> flooder;
    for (std::size_t i = 0; !stop_; ++i) {
      for (int k = 0; k < 2; ++k) {
        const int status = WsClient::dial(to, to_flood).response().status;
        if (status == 503) {
          ++refused_;
        } else if (status != 101) {
          ++unexpected_;
        }
      }
      if (!flooder) flooder = WsClient::dial(to, to_flood);
      bool sent = flooder->open();
      for (int k = 0; k < 5 && sent; ++k)
        sent = flooder->socket().try_send(client_frame(WsOpcode::kText, "flood"));
      if (!sent) flooder.reset();
      observe_for(10ms);
    }
  }
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> refused_{0};
  std::atomic<std::size_t> unexpected_{0};
  std::thread thread_;
};

/// What is admitted feels nothing of three times as many clients and messages as allowed.
TEST_F(Limits, OverloadIsTheRefusedOnesAlone) {
  const std::size_t admitted = full_size() ? 500 : 50;
  start({"--max-connections", std::to_string(admitted + 1), "--client-message-rate", "100/s",
         "--client-message-burst", "100"});
  const Endpoint& to = stack_->gateway().endpoint();
  WsSwarm swarm;
  swarm.connect(to, admitted);
  stack_->gateway().wait_subscribed();
  const std::size_t messages = full_size() ? 1000 : 300;
  std::uint64_t published = 0;
  const auto run = [&](const char* what) {
    swarm.reset_latency();
    swarm.run_paced(messages, 10ms, [&](std::size_t i) { swarm.publish(i % admitted); });
    published += messages;
    EXPECT_TRUE(swarm.run_until(20s, [&] { return swarm.all_received(0, admitted, published); }));
    std::cout << what << ": p50 " << swarm.latency_us(0.5) << " us, p90 " << swarm.latency_us(0.9)
              << " us, p99 " << swarm.latency_us(0.99) << " us\n";
  };
  run("quiet");
  Crowd crowd(to);
  run("overload");
  EXPECT_TRUE(eventually(20s, [&] { return rate_limited() > 0; }));
  crowd.stop();
  run("quiet again");
  EXPECT_GT(crowd.refused(), 0U);
  EXPECT_EQ(crowd.unexpected(), 0U);
  EXPECT_EQ(swarm.open_count(), admitted);
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
  EXPECT_EQ(metric("sluice_gateway_closed_total", "too_slow"), 0);
  std::cout << "refused " << crowd.refused() << ", rate limited " << rate_limited() << "\n";
}

}  // namespace
}  // namespace sluice::test
