// The relay's status as JSON: what it says, and its bounds.
#include "relay/status.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "relay/limits.h"
#include "tests/unit/relay/recording.h"

namespace sluice::relay {
namespace {

using namespace test;
using Json = nlohmann::json;

struct StatusWorld : RouterWorld {
  explicit StatusWorld(RouterOptions given = {}) : RouterWorld(given) {}
  Json status(std::size_t channels = 20) { return Json::parse(status_json(router, channels)); }
  GatewayState& join(LinkPort& link, std::string_view id, std::string_view software,
                     std::int64_t pid) {
    return *router.attach(link, {.gateway_id = id, .software = software}, pid)->gateway;
  }
};

TEST(Status, OfAFreshRelay) {
  StatusWorld w;
  w.time.advance(90s);
  const Json s = w.status();
  EXPECT_EQ(s["format"], 1);
  EXPECT_EQ(s["relay"]["software"], "sluice-relay " SLUICE_VERSION);
  EXPECT_EQ(s["relay"]["pid"], ::getpid());
  EXPECT_EQ(s["relay"]["instance"].get<std::string>().size(), 16U);
  EXPECT_EQ(s["relay"]["uptime_seconds"], 90.0);
  EXPECT_EQ(s["broker"]["kind"], "recording");
  EXPECT_EQ(s["broker"]["address"], "recording:");
  EXPECT_EQ(s["broker"]["connected"], false);
  EXPECT_EQ(s["broker"]["since_seconds"], 90.0);
  EXPECT_EQ(s["broker"]["reason"], "not connected yet");
  EXPECT_EQ(s["gateways"]["list"], Json::array());
  EXPECT_EQ(s["channels"]["list"], Json::array());
  EXPECT_EQ(s["tools"]["connected_max"], kToolsMax);
}

TEST(Status, OfTheBroker) {
  StatusWorld w;
  w.router.broker_connected();
  w.time.advance(5s);
  EXPECT_EQ(w.status()["broker"]["reconnects"], 0);
  w.router.broker_away("connection refused");
  w.time.advance(2s);
  Json broker = w.status()["broker"];
  EXPECT_EQ(broker["connected"], false);
  EXPECT_EQ(broker["reason"], "connection refused");
  EXPECT_EQ(broker["since_seconds"], 2.0);
  EXPECT_EQ(broker["losses"], 1);
  w.router.broker_connected();
  w.time.advance(1500ms);
  broker = w.status()["broker"];
  EXPECT_EQ(broker["connected"], true);
  EXPECT_EQ(broker["reason"], "");
  EXPECT_EQ(broker["since_seconds"], 1.5);
  EXPECT_EQ(broker["reconnects"], 1);
}

TEST(Status, OfGateways) {
  StatusWorld w;
  w.router.broker_connected();
  RecordingLink two;
  RecordingLink one;
  GatewayState& b = w.join(two, "2222", "sluice-gateway 9", 22);
  w.time.advance(10s);
  GatewayState& a = w.join(one, "1111", "sluice-gateway 8", 11);
  w.router.inform(a, {proto::GatewayCondition::kDegraded, 300, 10000});
  w.subscribe(a, "c");
  w.subscribe(b, "c");
  w.router.subscribed("c", std::nullopt);
  w.deliver("c", "12345");
  w.deliver("c", "12345");
  (void)w.drain(b);
  w.router.detach(b);
  w.time.advance(20s);
  const Json g = w.status()["gateways"];
  EXPECT_EQ(g["connected"], 1);
  EXPECT_EQ(g["lingering"], 1);
  EXPECT_EQ(g["clients"], 300);
  EXPECT_EQ(g["queue_bytes"], 2 * (proto::kHeaderBytes + 5));
  EXPECT_EQ(g["left_out"], 0);
  ASSERT_EQ(g["list"].size(), 2U);
  const Json& first = g["list"][0];
  EXPECT_EQ(first["id"], "1111");
  EXPECT_EQ(first["connected"], true);
  EXPECT_EQ(first["state"], "degraded");
  EXPECT_EQ(first["clients"], 300);
  EXPECT_EQ(first["clients_max"], 10000);
  EXPECT_EQ(first["handoff"], "off");
  EXPECT_EQ(first["held"], 0);
  EXPECT_TRUE(first["takeover"].is_null());
  EXPECT_EQ(first["pid"], 11);
  EXPECT_EQ(first["software"], "sluice-gateway 8");
  EXPECT_EQ(first["connected_seconds"], 20.0);
  EXPECT_EQ(first["subscriptions"], 1);
  EXPECT_EQ(first["queue_messages"], 2);
  const Json& second = g["list"][1];
  EXPECT_EQ(second["id"], "2222");
  EXPECT_EQ(second["connected"], false);
  EXPECT_EQ(second["gone_seconds"], 20.0);
  EXPECT_EQ(second["forgotten_in_seconds"], 40.0);
  EXPECT_EQ(second["queue_messages"], 0);
  EXPECT_FALSE(second.contains("clients"));
}

TEST(Status, OfHandoff) {
  StatusWorld w;
  RecordingLink link;
  GatewayState& g = w.join(link, "1111", "sluice-gateway 9", 22);
  const auto row = [&w] { return w.status()["gateways"]["list"][0]; };
  EXPECT_TRUE(row()["handoff"].is_null()) << "nothing told yet";
  const auto now_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(w.router.now().time_since_epoch())
          .count());
  proto::GatewayInfo info{.condition = proto::GatewayCondition::kReady,
                          .clients = 3,
                          .clients_max = 10,
                          .handoff = proto::HandoffState::kOn,
                          .held = 2,
                          .takeover = {.kind = proto::TakeoverKind::kPlanned,
                                       .clients = 5,
                                       .closed = 1,
                                       .pause_ms = 250,
                                       .ended_ms = now_ms}};
  w.router.inform(g, info);
  w.time.advance(1500ms);
  EXPECT_EQ(row()["handoff"], "on");
  EXPECT_EQ(row()["held"], 2);
  const Json planned = row()["takeover"];
  EXPECT_EQ(planned["kind"], "planned");
  EXPECT_EQ(planned["clients"], 5);
  EXPECT_EQ(planned["closed"], 1);
  EXPECT_EQ(planned["pause_seconds"], 0.25);
  EXPECT_EQ(planned["seconds_ago"], 1.5);
  // What a later release says, and a moment that has not been yet.
  info.handoff = static_cast<proto::HandoffState>(99);
  info.takeover.kind = proto::TakeoverKind::kCrash;
  info.takeover.ended_ms = UINT64_MAX;
  w.router.inform(g, info);
  EXPECT_EQ(row()["handoff"], "unknown");
  const Json crash = row()["takeover"];
  EXPECT_EQ(crash["kind"], "crash");
  EXPECT_TRUE(crash["pause_seconds"].is_null());
  EXPECT_EQ(crash["seconds_ago"], 0.0);
}

TEST(Status, AGatewayThatSaysNothingOfItselfIsUnknownNotEmpty) {
  StatusWorld w;
  RecordingLink link;
  w.join(link, "1111", "sluice-gateway 0.1.0", 11);
  const Json row = w.status()["gateways"]["list"][0];
  EXPECT_TRUE(row["state"].is_null());
  EXPECT_TRUE(row["clients"].is_null());
}

TEST(Status, CountsTheGapsThatAGatewayWasTold) {
  RouterOptions options;
  options.gateway_queue_bytes = 4096;
  StatusWorld w(options);
  RecordingLink link;
  GatewayState& g = w.join(link, "1111", "", 1);
  w.subscribe(g, "c");
  w.router.subscribed("c", std::nullopt);
  for (int i = 0; i < 200; ++i) w.deliver("c", "0123456789");
  const Json waiting = w.status()["gateways"]["list"][0];
  EXPECT_LE(waiting["queue_bytes"], 4096);
  EXPECT_EQ(waiting["queue_messages"], waiting["queue_bytes"].get<std::size_t>() / 42);
  (void)w.drain(g);
  const Json row = w.status()["gateways"]["list"][0];
  EXPECT_EQ(row["gaps_told"], 1);
  EXPECT_EQ(row["messages_lost"], 200 - waiting["queue_messages"].get<int>());
}

TEST(Status, OfChannelsTheLargestFirst) {
  StatusWorld w;
  RecordingLink one;
  RecordingLink two;
  RecordingLink tool_link;
  GatewayState& a = w.join(one, "1111", "", 1);
  GatewayState& b = w.join(two, "2222", "", 2);
  GatewayState& tool =
      *w.router.attach_tool(tool_link, {.tool = true, .gateway_id = "", .software = ""})->gateway;
  for (const char* name : {"b", "a", "both"}) w.subscribe(a, name);
  w.subscribe(b, "both");
  w.subscribe(tool, "b");
  w.router.subscribed("both", std::nullopt);
  w.deliver("both", "hello");
  const Json c = w.status()["channels"];
  EXPECT_EQ(c["subscribed"], 3);
  EXPECT_EQ(c["subscriptions"], 4) << "a tool's is none";
  ASSERT_EQ(c["list"].size(), 3U);
  EXPECT_EQ(c["list"][0]["name"], "both");
  EXPECT_EQ(c["list"][0]["gateways"], 2);
  EXPECT_EQ(c["list"][0]["confirmed"], true);
  EXPECT_EQ(c["list"][0]["offset"], 1);
  EXPECT_EQ(c["list"][0]["ring_messages"], 1);
  EXPECT_EQ(c["list"][0]["ring_bytes"], w.router.ring().bytes());
  EXPECT_EQ(c["list"][1]["name"], "a");
  EXPECT_EQ(c["list"][2]["name"], "b");
  EXPECT_EQ(c["list"][2]["gateways"], 1);
  EXPECT_EQ(c["list"][2]["tools"], 1);
  EXPECT_EQ(c["list"][2]["confirmed"], false);
  const Json cut = w.status(2)["channels"];
  EXPECT_EQ(cut["list"].size(), 2U);
  EXPECT_EQ(cut["list"][0]["name"], "both");
  EXPECT_EQ(cut["list"][1]["name"], "a");
  EXPECT_EQ(cut["left_out"], 1);
  EXPECT_EQ(w.status(0)["channels"]["left_out"], 3);
}

TEST(Status, OfHeldPublishesAndTheRing) {
  StatusWorld w;
  w.broker.room = false;
  RecordingLink link;
  GatewayState& g = w.join(link, "1111", "", 1);
  w.publish(g, "c", "hello");
  const Json s = w.status();
  EXPECT_EQ(s["publishes"]["held"], 1);
  EXPECT_EQ(s["publishes"]["held_bytes"], w.router.hold().bytes());
  EXPECT_EQ(s["publishes"]["held_bytes_max"], w.options.publish_queue_bytes);
  EXPECT_EQ(s["ring"]["messages_max"], w.options.ring.messages_max);
}

/// Names that JSON writes the longest, the most rows, the longest texts.
TEST(Status, TheWorstStillFitsItsFrame) {
  RouterOptions options;
  options.gateways_max = 1000;
  StatusWorld w(options);
  std::vector<std::unique_ptr<RecordingLink>> links;
  const std::string software(proto::kSoftwareBytesMax, '\x01');
  for (int i = 0; i < 300; ++i) {
    std::string id = std::to_string(i);
    id.insert(0, proto::kGatewayIdBytesMax - id.size(), 'g');
    links.push_back(std::make_unique<RecordingLink>());
    GatewayState& g = w.join(*links.back(), id, software, INT64_MAX);
    w.router.inform(g, {.condition = proto::GatewayCondition::kStarting,
                        .clients = UINT32_MAX,
                        .clients_max = UINT32_MAX,
                        .leaving = UINT32_MAX,
                        .handoff = proto::HandoffState::kSelfTestFailed,
                        .held = UINT32_MAX,
                        .takeover = {.kind = proto::TakeoverKind::kPlanned,
                                     .clients = UINT32_MAX,
                                     .closed = UINT32_MAX,
                                     .pause_ms = UINT32_MAX,
                                     .ended_ms = 1}});
    std::string channel = std::to_string(i);
    channel.insert(0, proto::kChannelNameBytesMax - channel.size(), '\x1F');
    w.subscribe(g, channel);
    w.router.subscribed(channel, std::nullopt);
  }
  w.router.broker_away(std::string(4000, '\x02'));
  const std::string text = status_json(w.router, SIZE_MAX);
  EXPECT_LT(text.size(), proto::kStatusBytesMax);
  const Json s = Json::parse(text);
  EXPECT_EQ(s["gateways"]["list"].size(), kStatusGatewaysMax);
  EXPECT_EQ(s["gateways"]["left_out"], 300 - kStatusGatewaysMax);
  EXPECT_EQ(s["channels"]["list"].size(), kStatusChannelsMax);
  EXPECT_EQ(s["channels"]["left_out"], 300 - kStatusChannelsMax);
  std::printf("%zu bytes\n", text.size());
}

TEST(Status, NamesThatAreNotUtf8StillMakeJson) {
  StatusWorld w;
  RecordingLink link;
  GatewayState& g = w.join(link, "1111", "\xFF\xFE", 1);
  w.subscribe(g, "a\x80z");
  EXPECT_EQ(w.status()["channels"]["list"][0]["name"], "a\uFFFDz");
}

}  // namespace
}  // namespace sluice::relay
