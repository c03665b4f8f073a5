// The harness itself, against programs that are not ours: npm's ws, redis-server. A tool that finds
// no faults proves nothing, so each check is shown a fault too.
#include <gtest/gtest.h>

#include <memory>

#include "tests/process/support/centrifuge_client.h"
#include "tests/process/support/fault_proxy.h"
#include "tests/process/support/metrics.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/sdk_driver.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

class EchoServer {
 public:
  EchoServer() {
    SpawnOptions options;
    options.args = {"/usr/bin/env", "node",
                    std::string(SLUICE_SOURCE_DIR) + "/tests/process/node/echo_server.mjs"};
    process_ = std::make_unique<Process>(std::move(options));
    endpoint_ = Endpoint::parse(process_->wait_line("listening on (\\S+)")[1]);
  }
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  Process& process() { return *process_; }

 private:
  std::unique_ptr<Process> process_;
  Endpoint endpoint_;
};

TEST(Harness, AcceptKeyOfTheRfc) {
  EXPECT_EQ(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(Harness, ReaderSeesWhatAServerDoesWrong) {
  const auto fails = [](std::string_view bytes) {
    WsReader reader;
    reader.feed(bytes);
    EXPECT_THROW((void)reader.next(), HarnessError);
  };
  fails(client_frame(WsOpcode::kText, "masked"));
  fails(std::string_view("\xC1\x00", 2));          // reserved bit
  fails(std::string_view("\x83\x00", 2));          // reserved opcode
  fails(std::string_view("\x80\x00", 2));          // continuation of nothing
  fails(std::string_view("\x09\x00", 2));          // fragmented ping
  fails(std::string_view("\x81\x7E\x00\x05", 4));  // long form of a short length
}

TEST(Harness, Utf8) {
  for (const char* good : {"", "a", "ä", "€", "😀", "\xEF\xBF\xBF", "\xED\x9F\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xC3", "\xE2\x82"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(Harness, ClientAgainstNpmWs) {
  EchoServer server;
  WsClient client = WsClient::connect(server.endpoint());
  for (const std::size_t size : {0, 1, 125, 126, 65535, 65536, 1000000}) {
    const std::string payload(size, 'a');
    client.send_text(payload);
    EXPECT_EQ(client.text(), payload);
    client.send_binary(payload);
    EXPECT_EQ(client.binary(), payload);
  }
  client.send_frame(WsOpcode::kText, "one ", false);
  client.send_frame(WsOpcode::kPing, "between");
  client.send_frame(WsOpcode::kContinuation, "two", true);
  EXPECT_EQ(describe(client.next()), "pong 'between'");
  EXPECT_EQ(client.text(), "one two");
  client.send_text("ping");
  EXPECT_TRUE(client.quiet(100ms));
  EXPECT_EQ(client.pings(), 1);
  server.process().wait_line("pong are you there");
  client.send_text("close 4001 because");
  EXPECT_EQ(describe(client.wait_close()), "close 4001 'because'");
}

TEST(Harness, ClientSeesABareEnd) {
  EchoServer server;
  WsClient client = WsClient::connect(server.endpoint());
  client.send_text("cut");
  EXPECT_EQ(client.wait_close().kind, WsEvent::Kind::kEof);
  WsClient second = WsClient::connect(server.endpoint());
  second.send_raw(unmasked_frame(WsOpcode::kText, "x"));
  EXPECT_EQ(second.wait_close().code, 1002);
}

TEST(Harness, SwarmCountsEverything) {
  EchoServer server;
  WsSwarm swarm;
  swarm.connect(server.endpoint(), 100);
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = 0; i < 10; ++i) swarm.publish(i);
  }
  ASSERT_TRUE(swarm.run_until(20s, [&] { return swarm.all_received(0, 100, 50); }));
  EXPECT_EQ(swarm.received(), 5000U);
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
  EXPECT_GT(swarm.latency_us(0.5), 0U);
}

TEST(Harness, SwarmSeesFaults) {
  EchoServer server;
  WsSwarm swarm;
  swarm.connect(server.endpoint(), 1);
  WsClient other = WsClient::connect(server.endpoint());
  for (const int number : {1, 2, 4, 4, 3}) other.send_text(numbered(7, number));
  other.send_text("1111:" + numbered(8, 1));
  other.send_text("who knows");
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.faults().foreign == 1; }));
  EXPECT_EQ(swarm.faults(), (SwarmFaults{1, 2, 1, 1}));
  other.send_text("cut");
  swarm.send_text(0, "close 4002 bye");
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.client(0).closed; }));
  EXPECT_EQ(swarm.client(0).close_code, 4002);
}

// The echo of a command in JSON is a reply: the server says to a Centrifuge client what it has said
// itself, and whatever else somebody sends.

std::string publication(std::uint64_t number, std::uint64_t offset) {
  return R"({"push":{"channel":"c","pub":{"data":)" + numbered_data(number) + R"(,"offset":)" +
         std::to_string(offset) + "}}}";
}

TEST(Harness, CentrifugeFleetSeesFaults) {
  EchoServer server;
  CentrifugeFleet fleet;
  CentrifugeOptions options;
  options.to = server.endpoint();
  fleet.connect(options);
  fleet.subscribe(0, "c", {.recoverable = true});
  ASSERT_TRUE(fleet.run_until(10s, [&] { return fleet.all_subscribed(0, 1); }));
  WsClient other = WsClient::connect(server.endpoint());
  for (std::uint64_t number = 1; number <= 3; ++number)
    other.send_text(publication(number, number));
  ASSERT_TRUE(fleet.run_until(10s, [&] { return fleet.all_reached("c", 3); }));
  EXPECT_EQ(fleet.faults(), CentrifugeFaults{});
  EXPECT_EQ(fleet.stream(0, "c").received, 3U);

  other.send_text(publication(4, 6));  // 4 and 5 are missing
  other.send_text(publication(6, 6));  // had, and number 5 is missing
  other.send_text(R"({"push":{"channel":"other","pub":{"data":1}}})");
  other.send_text(R"({"id":99,"publish":{}})");
  other.send_text(R"({"push":{"channel":"c","unsubscribe":{"code":2500}}})"
                  "\n" +
                  publication(7, 7));
  ASSERT_TRUE(fleet.run_until(
      10s, [&] { return fleet.faults().early == 1 && fleet.all_subscribed(0, 1); }));
  EXPECT_EQ(
      fleet.faults(),
      (CentrifugeFaults{
          .missing = 2, .repeated = 1, .misnumbered = 1, .early = 1, .foreign = 1, .unasked = 1}));
  EXPECT_EQ(fleet.stream(0, "c").subscribed_times, 2U);
}

TEST(Harness, CentrifugeFleetComesBackOrNot) {
  EchoServer server;
  CentrifugeFleet fleet;
  CentrifugeOptions options;
  options.to = server.endpoint();
  fleet.connect(options);
  fleet.send_frame(0, "close 3001 shutdown");
  ASSERT_TRUE(fleet.run_until(20s, [&] { return fleet.client(0).connects == 2; }));
  EXPECT_EQ(fleet.client(0).close_code, 3001);
  fleet.send_frame(0, "close 3501 bad request");
  ASSERT_TRUE(fleet.run_until(
      20s, [&] { return fleet.client(0).state == CentrifugeMember::State::kEnded; }));
  EXPECT_EQ(fleet.client(0).close_code, 3501);
}

TEST(Harness, SdkDriverSeesFaults) {
  EchoServer server;
  SdkDriver driver;
  driver.connect("one", "ws://" + server.endpoint().text());
  driver.call("subscribe", "one",
              {{"channel", "c"}, {"options", {{"recoverable", true}}}, {"quiet", true}});
  EXPECT_EQ(driver.wait_event("one", "subscribed", "c")["ctx"]["recoverable"], true);
  WsClient other = WsClient::connect(server.endpoint());
  for (const auto& [number, offset] : {std::pair{1, 1}, {2, 2}, {4, 5}, {5, 5}})
    other.send_text(
        publication(static_cast<std::uint64_t>(number), static_cast<std::uint64_t>(offset)));
  ASSERT_TRUE(
      driver.stats_until(20s, [](const auto& stats) { return stats["publications"] == 4; }));
  const SdkDriver::Json stats = driver.stats();
  EXPECT_EQ(stats["missing"], 2);
  EXPECT_EQ(stats["repeated"], 1);
  EXPECT_EQ(stats["misnumbered"], 1);
  EXPECT_EQ(stats["least"]["c"], 5);
  EXPECT_THROW(driver.wait_event("one", "publication", "c", 100ms), HarnessError);
  EXPECT_TRUE(driver.attempt("rpc", "two").contains("error"));
}

TEST(Harness, FaultProxyPausesStallsCutsAndDribbles) {
  EchoServer server;
  const TempDir directory;
  FaultProxy proxy(server.endpoint(), directory.file("proxy.sock"));
  WsClient first = WsClient::connect(proxy.endpoint());
  WsClient second = WsClient::connect(proxy.endpoint());
  proxy.dribble(1);
  first.send_text("drop by drop");
  EXPECT_EQ(first.text(), "drop by drop");
  EXPECT_EQ(second.text(), "drop by drop");
  proxy.dribble(0);
  proxy.stall(1, true);
  first.send_text("past the stalled one");
  EXPECT_EQ(first.text(), "past the stalled one");
  EXPECT_TRUE(second.quiet(50ms));
  proxy.stall(1, false);
  EXPECT_EQ(second.text(), "past the stalled one");
  proxy.pause(true);
  first.send_text("held");
  EXPECT_TRUE(second.quiet(50ms));
  proxy.pause(false);
  EXPECT_EQ(second.text(), "held");
  proxy.cut();
  EXPECT_EQ(second.wait_close().kind, WsEvent::Kind::kEof);  // Unix sockets know no reset
  EXPECT_EQ(proxy.live(), 0U);
  FaultProxy tcp(server.endpoint(), "");
  WsClient third = WsClient::connect(tcp.endpoint());
  tcp.cut();
  EXPECT_EQ(third.wait_close().kind, WsEvent::Kind::kReset);
}

TEST(Harness, RedisServer) {
  const TempDir directory;
  RedisServer redis(directory, "secret");
  RespClient subscriber(redis.endpoint());
  EXPECT_THROW(subscriber.command({"SUBSCRIBE", "c"}), HarnessError);
  subscriber.command({"AUTH", "secret"});
  EXPECT_EQ(subscriber.command({"SUBSCRIBE", "c"}), "subscribe\nc\n1");
  EXPECT_EQ(redis.subscribers("c"), 1);
  EXPECT_EQ(redis.clients().size(), 1U);
  redis.command({"PUBLISH", "c", "hello"});
  EXPECT_EQ(subscriber.read_reply(), "message\nc\nhello");
  redis.set_password("other");
  EXPECT_EQ(redis.command({"PING"}), "PONG");
  redis.kill();
  EXPECT_THROW(redis.command({"PING"}), HarnessError);
  redis.start();
  EXPECT_EQ(redis.subscribers("c"), 0);
}

TEST(Harness, ProcessSaysHowItEnded) {
  SpawnOptions options;
  options.args = {"/bin/sh", "-c", "echo one; echo $X >&2; cat <&7; ulimit -n; exit 3"};
  options.env = {{"X", "two"}};
  const TempDir directory;
  std::FILE* file = std::fopen(directory.write("in", "three\n").c_str(), "re");
  options.fds = {{7, ::fileno(file)}};
  options.nofile = 256;
  const Finished finished = run(options);
  std::fclose(file);
  EXPECT_EQ(finished.output, "one\ntwo\nthree\n256\n");
  EXPECT_EQ(finished.status.code, 3);
  SpawnOptions sleeper;
  sleeper.args = {"/bin/sleep", "60"};
  Process process(sleeper);
  EXPECT_THROW(process.wait_line("nothing", 50ms), HarnessError);
  EXPECT_GT(process.rss_bytes(), 0U);
  process.signal(15);
  EXPECT_EQ(process.wait_exit().signal, 15);
}

TEST(Harness, Metrics) {
  const Metrics metrics = Metrics::parse(
      "# HELP a_total Things\n# TYPE a_total counter\na_total{reason=\"x y\"} 2\n"
      "a_total{reason=\"z\"} 3\n# TYPE b gauge\nb 1.5\n");
  EXPECT_EQ(metrics.value("a_total"), 5);
  EXPECT_EQ(metrics.value("a_total", "reason=\"z\""), 3);
  EXPECT_EQ(metrics.value("b"), 1.5);
  EXPECT_FALSE(metrics.has("c"));
  EXPECT_EQ(metrics.types().at("a_total"), "counter");
  EXPECT_THROW(Metrics::parse("a 1\na 1\n"), HarnessError);
}

}  // namespace
}  // namespace sluice::test
