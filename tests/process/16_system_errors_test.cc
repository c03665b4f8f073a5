// System calls that fail under the daemons: injected by a shim (support/shim) and real ones by a
// descriptor limit. The daemon goes on, nothing is lost in silence, errors are counted and said at
// a bounded rate, and want of descriptors never spins.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iostream>
#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/fault_control.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

const std::string kAcceptPauses = "sluice_gateway_accept_pauses_total";

/// Runs a while and says which share of a core the process has used.
double cpu_share(const Process& process, Millis window) {
  const Millis before = process.cpu_time();
  const SteadyClock::time_point began = SteadyClock::now();
  observe_for(window);
  const auto used = process.cpu_time() - before;
  return double(used.count()) /
         double(std::chrono::ceil<Millis>(SteadyClock::now() - began).count());
}

class SystemErrors : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string problem = FaultControl::unavailable();
    if (!problem.empty()) GTEST_SKIP() << "NOT TESTED HERE: " << problem;
  }
  void start(bool with_redis = false) {
    Args args;
    if (with_redis) {
      redis_ = std::make_unique<RedisServer>(directory_);
      args = {"--broker", redis_->url()};
    }
    relay_ = std::make_unique<Relay>(directory_, args, relay_faults_.environment());
    GatewaySettings settings;
    settings.relay = relay_->address();
    // What stands between a daemon and libc sees no io_uring.
    settings.args = {"--ping-interval", "10m", "--io-uring", "off"};
    settings.env = gateway_faults_.environment();
    gateway_ = std::make_unique<Gateway>(std::move(settings));
    witness_ = std::make_unique<WsClient>(WsClient::connect(gateway_->endpoint()));
    gateway_->wait_subscribed();
    expect_service();
  }
  void expect_service() {
    witness_->send_text("there?");
    EXPECT_EQ(witness_->text(20s), "there?");
  }
  /// Every message of one sender reaches every client, in order, while something goes wrong that
  /// `begin` starts once they are connected.
  void expect_all_delivered(
      std::size_t clients, std::uint64_t messages, const std::function<void()>& begin = [] {}) {
    WsSwarm swarm;
    swarm.connect(gateway_->endpoint(), clients, "/channel/swarm");
    gateway_->wait_subscribed("swarm");
    begin();
    // A cut link may lose what was published while nobody knew: one at a time, each is waited for.
    for (std::uint64_t i = 1; i <= messages; ++i) {
      swarm.publish(0, 300);
      ASSERT_TRUE(swarm.run_until(30s, [&] { return swarm.all_received(0, clients, i); }))
          << "message " << i;
    }
    EXPECT_EQ(swarm.faults(), SwarmFaults{});
    EXPECT_EQ(swarm.open_count(), clients);
  }
  double gateway_metric(const std::string& name) { return gateway_->metrics().value(name); }
  double relay_metric(const std::string& name) { return relay_->metrics().value(name); }

  TempDir directory_;
  FaultControl relay_faults_{directory_, "relay-faults"};
  FaultControl gateway_faults_{directory_, "gateway-faults"};
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<WsClient> witness_;
};

// ---- accept

struct Wanting {
  const char* name;
  int error;
};
void PrintTo(const Wanting& wanting, std::ostream* out) {
  *out << wanting.name;
}

class AcceptFails : public SystemErrors, public ::testing::WithParamInterface<Wanting> {};

INSTANTIATE_TEST_SUITE_P(, AcceptFails,
                         ::testing::Values(Wanting{"EMFILE", EMFILE}, Wanting{"ENFILE", ENFILE},
                                           Wanting{"ENOBUFS", ENOBUFS}, Wanting{"ENOMEM", ENOMEM}),
                         [](const auto& info) { return std::string(info.param.name); });

constexpr Millis kWindow = 2s;
/// Accepting pauses for 100 ms: 20 tries in the window, and room for one that is late.
constexpr std::uint64_t kTriesMax = 60;
constexpr double kShareMax = 0.3;

TEST_P(AcceptFails, GatewayPausesAndServesWhoWaited) {
  start();
  const double before = gateway_metric(kAcceptPauses);
  const std::size_t mark = gateway_->process().mark();
  gateway_faults_.fail(FaultCall::kAccept, GetParam().error);
  Socket waiting = Socket::connect(gateway_->endpoint());
  waiting.send_all(upgrade_bytes({}));
  const double share = cpu_share(gateway_->process(), kWindow);
  expect_service();
  const std::uint64_t tries = gateway_faults_.failed(FaultCall::kAccept);
  gateway_faults_.stop(FaultCall::kAccept);
  std::string rest;
  EXPECT_EQ(read_head(waiting, rest, 20s).status, 101);
  std::cout << GetParam().name << ": " << share * 100 << " % of a core, " << tries << " tries\n";
  EXPECT_LT(share, kShareMax);
  EXPECT_GE(tries, 2U);
  EXPECT_LE(tries, kTriesMax);
  EXPECT_GE(gateway_metric(kAcceptPauses), before + 2);
  const std::size_t said = gateway_->process().lines("accepting pauses", mark).size();
  EXPECT_GE(said, 1U);
  EXPECT_LE(said, 10U);
}

TEST_P(AcceptFails, RelayPausesAndServesWhoWaited) {
  start();
  const std::size_t mark = relay_->process().mark();
  relay_faults_.fail(FaultCall::kAccept, GetParam().error, 1, AF_UNIX);
  GatewaySettings settings;
  settings.id = "2222";
  settings.relay = relay_->address();
  settings.wait_ready = false;
  Gateway second(std::move(settings));
  const double share = cpu_share(relay_->process(), kWindow);
  expect_service();
  const std::uint64_t tries = relay_faults_.failed(FaultCall::kAccept);
  relay_faults_.stop(FaultCall::kAccept);
  second.wait_ready(200, 20s);
  std::cout << GetParam().name << ": " << share * 100 << " % of a core, " << tries << " tries\n";
  EXPECT_LT(share, kShareMax);
  EXPECT_GE(tries, 2U);
  EXPECT_LE(tries, kTriesMax);
  EXPECT_GE(relay_metric("sluice_relay_accept_errors_total"), 2);
  EXPECT_EQ(relay_->process().lines("can't accept a gateway", mark).size(), 1U);
}

// What befell one connection before it was accepted is no reason to pause.
TEST_F(SystemErrors, AcceptThatIsInterruptedOrFindsThePeerGone) {
  start();
  for (const int error : {ECONNABORTED, EINTR, EPROTO, EAGAIN}) {
    gateway_faults_.fail(FaultCall::kAccept, error, 2);
    relay_faults_.fail(FaultCall::kAccept, error == EPROTO ? EINTR : error, 2);
    for (int i = 0; i < 20; ++i) {
      WsClient client = WsClient::connect(gateway_->endpoint());
      client.send_text("in");
      EXPECT_EQ(client.text(20s), "in");
      EXPECT_EQ(witness_->text(20s), "in");
    }
    EXPECT_GE(gateway_faults_.failed(FaultCall::kAccept), 5U);
    EXPECT_EQ(http_get(relay_->admin(), "/healthz").status, 200);
  }
  gateway_faults_.stop(FaultCall::kAccept);
  EXPECT_EQ(gateway_metric(kAcceptPauses), 0);
  EXPECT_GE(gateway_metric("sluice_gateway_accepts_aborted_total"), 10);
}

/// The descriptors that are open, and no more.
void exhaust(Process& process) {
  std::size_t highest = 0;
  for (int i = 0; i < 3; ++i) highest = std::max(highest, process.fd_count());
  process.limit_descriptors(highest);
}

/// UBSan tells an object's type by reading its memory through a pipe; without a descriptor for that
/// it takes every object for a wrong one.
constexpr const char* kNeedsDescriptors = "the sanitizer itself needs descriptors";

TEST(Descriptors, GatewayWithoutAnyLeftDoesNotSpin) {
  if (sanitized()) GTEST_SKIP() << kNeedsDescriptors;
  Stack stack;
  Gateway& gateway = stack.gateway();
  WsClient witness = WsClient::connect(gateway.endpoint());
  gateway.wait_subscribed();
  const double before = gateway.metrics().value(kAcceptPauses);
  exhaust(gateway.process());
  std::vector<Socket> waiting;
  for (int i = 0; i < 50; ++i) {
    waiting.push_back(Socket::connect(gateway.endpoint()));
    waiting.back().send_all(upgrade_bytes({}));
  }
  const double share = cpu_share(gateway.process(), full_size() ? 20s : kWindow);
  std::cout << "no descriptors left: " << share * 100 << " % of a core\n";
  EXPECT_LT(share, kShareMax);
  witness.send_text("there?");
  EXPECT_EQ(witness.text(), "there?");
  gateway.process().limit_descriptors(4096);
  for (Socket& socket : waiting) {
    std::string rest;
    EXPECT_EQ(read_head(socket, rest, 20s).status, 101);
  }
  EXPECT_GT(gateway.metrics().value(kAcceptPauses), before);
  gateway.process().wait_line("raise LimitNOFILE=");
}

TEST(Descriptors, RelayWithoutAnyLeftDoesNotSpin) {
  if (sanitized()) GTEST_SKIP() << kNeedsDescriptors;
  Stack stack;
  Relay& relay = stack.relay();
  WsClient witness = WsClient::connect(stack.gateway().endpoint());
  stack.gateway().wait_subscribed();
  exhaust(relay.process());
  Endpoint link;
  link.path = relay.socket_path();
  std::vector<Socket> waiting;
  waiting.reserve(5);
  for (int i = 0; i < 5; ++i) waiting.push_back(Socket::connect(link));
  Socket page = Socket::connect(relay.admin());
  page.send_all("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  const double share = cpu_share(relay.process(), full_size() ? 20s : kWindow);
  std::cout << "no descriptors left: " << share * 100 << " % of a core\n";
  EXPECT_LT(share, kShareMax);
  witness.send_text("there?");
  EXPECT_EQ(witness.text(), "there?");
  relay.process().limit_descriptors(1024);
  EXPECT_EQ(read_response(page, 20s).status, 200);
  EXPECT_GE(relay.metrics().value("sluice_relay_accept_errors_total"), 2);
  EXPECT_EQ(relay.process().lines("can't accept a gateway.*LimitNOFILE").size(), 1U);
  EXPECT_LE(relay.process().lines("can't accept").size(), 4U);
}

// ---- sending and receiving

TEST_F(SystemErrors, SendsThatTakeNothingOrLittle) {
  start();
  // libwebsockets gives up a handshake for want of buffers; a client that is there is waited for.
  const auto no_buffers = [&] { gateway_faults_.fail(FaultCall::kSend, ENOBUFS, 3); };
  expect_all_delivered(4, 50, no_buffers);
  EXPECT_GE(gateway_faults_.failed(FaultCall::kSend), 20U);
  gateway_faults_.stop(FaultCall::kSend);
  for (const int error : {EAGAIN, EINTR, int{kPartial}}) {
    gateway_faults_.fail(FaultCall::kSend, error, 3);
    expect_all_delivered(4, 50);
    EXPECT_GE(gateway_faults_.failed(FaultCall::kSend), 20U);
    gateway_faults_.stop(FaultCall::kSend);
    expect_service();
  }
  for (const int error : {EAGAIN, EINTR, int{kPartial}}) {
    relay_faults_.fail(FaultCall::kSend, error, 3);
    expect_all_delivered(4, 50);
    EXPECT_GE(relay_faults_.failed(FaultCall::kSend), 10U);
    relay_faults_.stop(FaultCall::kSend);
    expect_service();
  }
  EXPECT_EQ(gateway_metric("sluice_gateway_relay_losses_total"), 0);
  EXPECT_EQ(gateway_metric("sluice_gateway_gap_events_total"), 0);
  EXPECT_GE(gateway_metric("sluice_gateway_partial_sends_total"), 1);
}

// The socket is writable and yet takes nothing, for as long as the system wants buffers: asking
// when it is writable would be told "now", over and over.
TEST_F(SystemErrors, SendsThatWantBuffersAreTriedAtABoundedRate) {
  start();
  for (const int family : {AF_INET, AF_UNIX}) {
    gateway_faults_.fail(FaultCall::kSend, ENOBUFS, 1, family);
    witness_->send_text("held");
    const double share = cpu_share(gateway_->process(), kWindow);
    const std::uint64_t tries = gateway_faults_.failed(FaultCall::kSend);
    gateway_faults_.stop(FaultCall::kSend);
    EXPECT_EQ(witness_->text(20s), "held");
    std::cout << share * 100 << " % of a core, " << tries << " tries\n";
    EXPECT_LT(share, kShareMax);
    EXPECT_GE(tries, 2U);
    EXPECT_LE(tries, 200U);
    expect_service();
  }
  EXPECT_EQ(gateway_metric("sluice_gateway_relay_losses_total"), 0);
}

// The relay ends a link that it can't send on; the gateway resumes it, and nothing is missed.
TEST_F(SystemErrors, RelaySendThatFailsCutsTheLinkAndTheGatewayResumes) {
  start();
  for (const int error : {ENOBUFS, ENOMEM, EPIPE}) {
    const double resumes = gateway_metric("sluice_gateway_relay_resumes_total");
    relay_faults_.fail(FaultCall::kSend, error, 20, AF_UNIX);
    expect_all_delivered(3, 60);
    relay_faults_.stop(FaultCall::kSend);
    EXPECT_GE(relay_faults_.failed(FaultCall::kSend), 1U);
    expect_service();
    EXPECT_GE(gateway_metric("sluice_gateway_relay_resumes_total"), resumes + 1);
  }
  EXPECT_EQ(gateway_metric("sluice_gateway_gap_events_total"), 0);
}

TEST_F(SystemErrors, ReadsAndPollsThatAreInterrupted) {
  start(true);
  for (const auto call : {FaultCall::kReceive, FaultCall::kPoll}) {
    gateway_faults_.fail(call, EINTR, 2);
    relay_faults_.fail(call, EINTR, 2);
    expect_all_delivered(4, 50);
    expect_service();
    EXPECT_GE(gateway_faults_.failed(call), 20U);
    EXPECT_GE(relay_faults_.failed(call), 20U);
    gateway_faults_.stop(call);
    relay_faults_.stop(call);
  }
  EXPECT_EQ(gateway_metric("sluice_gateway_relay_losses_total"), 0);
  EXPECT_EQ(relay_metric("sluice_relay_broker_connections_lost_total"), 0);
  EXPECT_EQ(gateway_metric("sluice_gateway_gap_events_total"), 0);
}

// ---- connecting

TEST_F(SystemErrors, GatewayThatCantConnectToItsRelayTriesAtABoundedRate) {
  start();
  for (const auto& [call, error] :
       {std::pair{FaultCall::kSocket, EMFILE}, std::pair{FaultCall::kSocket, ENOBUFS},
        std::pair{FaultCall::kConnect, EAGAIN}, std::pair{FaultCall::kConnect, ECONNREFUSED}}) {
    const std::size_t mark = gateway_->process().mark();
    gateway_faults_.fail(call, error, 1, AF_UNIX);
    relay_->kill();
    relay_->start();
    gateway_->process().wait_line("relay link lost", 20s, mark);
    const double share = cpu_share(gateway_->process(), 1s);
    const std::uint64_t tries = gateway_faults_.failed(call);
    gateway_faults_.stop(call);
    EXPECT_LT(share, kShareMax);
    EXPECT_GE(tries, 1U);
    EXPECT_LE(tries, 100U);
    EXPECT_LE(gateway_->process().lines("waiting for the relay", mark).size(), 4U);
    gateway_->process().wait_line("relay link up", 20s, mark);
    expect_service();
  }
}

TEST_F(SystemErrors, RelayThatCantConnectToRedisTriesAtABoundedRate) {
  start(true);
  for (const auto& [call, error] :
       {std::pair{FaultCall::kSocket, EMFILE}, std::pair{FaultCall::kSocket, ENOBUFS},
        std::pair{FaultCall::kConnect, EADDRNOTAVAIL},
        std::pair{FaultCall::kConnect, ECONNREFUSED}}) {
    const std::size_t mark = relay_->process().mark();
    const double failures = relay_metric("sluice_relay_broker_connect_failures_total");
    relay_faults_.fail(call, error, 1, AF_INET);
    redis_->command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    redis_->command({"CLIENT", "KILL", "TYPE", "pubsub"});
    relay_->process().wait_line("broker away", 20s, mark);
    const double share = cpu_share(relay_->process(), 1s);
    // clang 14 can't capture a structured binding.
    const auto failed = [this, which = call] { return relay_faults_.failed(which); };
    ASSERT_TRUE(eventually(20s, [&] { return failed() >= 2; }));
    const std::uint64_t tries = relay_faults_.failed(call);
    relay_faults_.stop(call);
    EXPECT_LT(share, kShareMax);
    EXPECT_LE(tries, 100U);
    EXPECT_LE(relay_->process().lines("broker away", mark).size(), 4U);
    relay_->process().wait_line("broker connected", 20s, mark);
    expect_service();
    EXPECT_GE(relay_metric("sluice_relay_broker_connect_failures_total"), failures + 1);
  }
}

// What is written to Redis and not taken is not known to be published: each such is told.
TEST_F(SystemErrors, SendToRedisThatFailsIsToldNotLost) {
  start(true);
  const double lost = relay_metric("sluice_relay_broker_connections_lost_total");
  relay_faults_.fail(FaultCall::kSend, ENOBUFS, 5, AF_INET);
  for (int i = 0; i < 20; ++i) witness_->send_text(std::to_string(i));
  ASSERT_TRUE(eventually(20s, [&] { return relay_faults_.failed(FaultCall::kSend) >= 1; }));
  relay_faults_.stop(FaultCall::kSend);
  // Each of them is published, and heard or within a gap that is told; or of unknown fate.
  const auto outcomes = [&] { return gateway_->metrics().value("sluice_gateway_publishes_total"); };
  EXPECT_TRUE(eventually(20s, [&] { return outcomes() == 21; }));  // one was start()'s
  EXPECT_EQ(gateway_metric("sluice_gateway_publishes_pending"), 0);
  EXPECT_GE(relay_metric("sluice_relay_broker_connections_lost_total"), lost + 1);
  ASSERT_TRUE(eventually(20s, [&] { return gateway_metric("sluice_gateway_broker_up") == 1; }));
  // Behind what was heard of the others.
  WsClient fresh = WsClient::connect(gateway_->endpoint(), "/channel/fresh");
  fresh.send_text("on");
  EXPECT_EQ(fresh.text(20s), "on");
}

}  // namespace
}  // namespace sluice::test
