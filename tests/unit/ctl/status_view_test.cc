// From the relay's JSON to a screen.
#include "ctl/status_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ctl/text.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::json;
using Lines = std::vector<std::string>;

Json gateway(const std::string& id) {
  return {{"id", id},
          {"connected", true},
          {"connected_seconds", 3725.0},
          {"state", "ready"},
          {"clients", 1203},
          {"clients_max", 10000},
          {"handoff", "on"},
          {"held", 1203},
          {"takeover",
           {{"kind", "planned"},
            {"seconds_ago", 12.0},
            {"clients", 1190},
            {"closed", 0},
            {"pause_seconds", 0.0625}}},
          {"pid", 4711},
          {"software", "sluice-gateway 0.1.0"},
          {"subscriptions", 3},
          {"queue_messages", 0},
          {"queue_bytes", 0},
          {"gaps_told", 0},
          {"messages_lost", 0}};
}

Json status() {
  Json gone = {{"id", "2222"},         {"connected", false},
               {"gone_seconds", 12.0}, {"forgotten_in_seconds", 48.0},
               {"pid", 4712},          {"software", "sluice-gateway 0.1.0"},
               {"subscriptions", 1},   {"queue_messages", 2},
               {"queue_bytes", 2048},  {"gaps_told", 4}};
  Json channel = {{"name", "livechat"},
                  {"gateways", 2},
                  {"tools", 1},
                  {"confirmed", true},
                  {"epoch", "5b1c9f20d3a1b2c3"},
                  {"offset", 1024},
                  {"ring_messages", 1024},
                  {"ring_bytes", 1258291}};
  return {
      {"format", 1},
      {"relay", {{"software", "sluice-relay 0.1.0"}, {"pid", 4242}, {"uptime_seconds", 11520.0}}},
      {"broker",
       {{"address", "redis://127.0.0.1:6379"},
        {"connected", true},
        {"since_seconds", 130.0},
        {"reconnects", 2}}},
      {"ring",
       {{"messages", 1024}, {"messages_max", 65536}, {"bytes", 1258291}, {"bytes_max", 67108864}}},
      {"publishes",
       {{"held", 0}, {"held_bytes", 0}, {"held_bytes_max", 16777216}, {"in_flight", 1}}},
      {"gateways",
       {{"connected", 1},
        {"lingering", 1},
        {"clients", 1203},
        {"queue_bytes", 2048},
        {"list", {gateway("1111"), gone}},
        {"left_out", 0}}},
      {"channels",
       {{"subscribed", 5000}, {"subscriptions", 7}, {"list", {channel}}, {"left_out", 4999}}},
      {"tools", {{"connected", 1}, {"connected_max", 16}}}};
}

Lines lines(const Json& json, std::size_t width = 0, bool colours = false) {
  const auto made = status_lines(
      json.dump(), {.address = "unix:/run/sluice/relay.sock", .width = width, .colours = colours});
  EXPECT_TRUE(made) << made.error().message;
  return made.value_or(Lines{});
}

TEST(StatusView, IsAScreen) {
  EXPECT_EQ(lines(status()),
            (Lines{
                "relay      sluice-relay 0.1.0  pid 4242  up 3h 12m  unix:/run/sluice/relay.sock",
                "broker     connected 2m 10s  redis://127.0.0.1:6379  2 reconnects",
                "ring       1,024 of 65,536 messages, 1.2 MiB of 64 MiB",
                "publishes  0 held (0 B of 16 MiB), 1 in flight",
                "tools      1 of 16",
                "",
                "GATEWAYS  1 connected, 1 lingering, 1,203 clients, 2 KiB queued",
                "ID    STATE      CLIENTS  CHANNELS  QUEUE  GAPS     SINCE   PID  HANDOFF   HELD  "
                "LAST TAKEOVER                          SOFTWARE",
                "1111  ready        1,203         3    0 B     0    1h 02m  4711  on       1,203  "
                "planned 12s ago, 1,190 clients, 63 ms  sluice-gateway 0.1.0",
                "2222  lingering        -         1  2 KiB     4  gone 12s  4712  -            -  "
                "-                                      sluice-gateway 0.1.0",
                "",
                "CHANNELS  5,000 at the broker, 7 subscriptions",
                "NAME      GATEWAYS  TOOLS       POSITION  IN RING  RING BYTES",
                "livechat         2      1  5b1c9f20:1024    1,024     1.2 MiB",
                "… 4,999 more (--channels N lists up to 150)",
            }));
}

TEST(StatusView, FitsTheTerminalWhateverTheNames) {
  Json s = status();
  s["gateways"]["list"][0]["id"] = std::string(64, 'g');
  s["channels"]["list"][0]["name"] = std::string(255, 'c');
  s["broker"]["connected"] = false;
  s["broker"]["reason"] = std::string(500, 'r');
  for (const std::size_t width : {40U, 80U, 120U}) {
    for (const std::string& line : lines(s, width)) EXPECT_LE(columns_of(line), width) << line;
  }
  EXPECT_NE(lines(status(), 80)[7].find("PID"), std::string::npos);
  EXPECT_EQ(lines(status(), 80)[7].find("SOFTWARE"), std::string::npos);
}

TEST(StatusView, SluicesOwnChannelsAreCalledAsInRedis) {
  const auto shown = [](const char* name) {
    Json s = status();
    s["channels"]["list"][0]["name"] = name;
    const auto all = lines(s);
    const std::string& row = all[all.size() - 2];
    return row.substr(0, row.find("  "));
  };
  EXPECT_EQ(shown("\x01"
                  "control"),
            "sluice:control");
  EXPECT_EQ(shown("\x01"
                  "nodes"),
            "sluice:nodes");
  EXPECT_EQ(shown("\x01"
                  "members\x01"
                  "a:b"),
            "sluice:{a:b}:members");
  EXPECT_EQ(shown("\x01"
                  "reply\x01"
                  "tool-1"),
            "sluice:reply:tool-1");
  EXPECT_EQ(shown("\x01"), "sluice:");
}

TEST(StatusView, SaysThatTheBrokerIsAwayAndWhy) {
  Json s = status();
  s["broker"]["connected"] = false;
  s["broker"]["reason"] = "connection refused";
  EXPECT_EQ(lines(s)[1],
            "broker     AWAY 2m 10s: connection refused  redis://127.0.0.1:6379  2 reconnects");
  EXPECT_NE(lines(s, 80, true)[1].find("\x1b[31mAWAY 2m 10s\x1b[0m"), std::string::npos);
}

TEST(StatusView, AGatewayThatTellsNothingIsConnectedAndNoMore) {
  Json s = status();
  s["gateways"]["list"][0]["state"] = nullptr;
  s["gateways"]["list"][0]["clients"] = nullptr;
  EXPECT_EQ(lines(s)[8].rfind("1111  connected        -", 0), 0U) << lines(s)[8];
}

TEST(StatusView, SaysHowClientsCameHereAndWhetherTheyCouldGoOn) {
  Json s = status();
  Json& gateway = s["gateways"]["list"][0];
  gateway["handoff"] = "self-test failed";
  gateway["held"] = 0;
  gateway["takeover"] = {{"kind", "crash"},
                         {"seconds_ago", 125.0},
                         {"clients", 1},
                         {"closed", 2},
                         {"pause_seconds", nullptr}};
  const std::string row = lines(s)[8];
  EXPECT_NE(row.find("  self-test failed     0  crash 2m 05s ago, 1 client, 2 closed  "),
            std::string::npos)
      << row;
  // An older gateway, or relay.
  for (const char* name : {"handoff", "held", "takeover"}) gateway.erase(name);
  EXPECT_NE(lines(s)[8].find("  4711  -           -  -  "), std::string::npos) << lines(s)[8];
}

TEST(StatusView, SaysUpgradesOfTheRelayOnceThereWereSome) {
  Json s = status();
  s["relay"]["upgrades"] = {
      {"done", 0}, {"refused", 0}, {"failed", 0}, {"last_pause_seconds", 0.0}};
  EXPECT_EQ(lines(s)[1].rfind("broker", 0), 0U);
  s["relay"]["upgrades"] = {
      {"done", 2}, {"refused", 1}, {"failed", 0}, {"last_pause_seconds", 0.0312}};
  EXPECT_EQ(lines(s)[1], "upgrades   2 in place, the last with a pause of 31 ms, 1 refused");
}

TEST(StatusView, NoNameReachesTheTerminalRaw) {
  Json s = status();
  s["channels"]["list"][0]["name"] = "evil\x1b[2J\u202E";
  s["gateways"]["list"][0]["software"] = "\x1b]0;owned\x07";
  s["broker"]["address"] = "redis://\x9B";
  s["relay"]["software"] = "a\nb";
  std::string all;
  const auto made = status_lines(s.dump(-1, ' ', false, Json::error_handler_t::replace), {});
  for (const std::string& line : made.value()) all += line;
  EXPECT_EQ(all.find('\x1b'), std::string::npos);
  EXPECT_EQ(all.find('\n'), std::string::npos);
  EXPECT_NE(all.find("evil\\x1b[2J\\u{202e}"), std::string::npos);
}

TEST(StatusView, TakesWhatAnotherReleaseLeavesOutAndAdds) {
  EXPECT_TRUE(status_lines(R"({"format":1})", {}));
  EXPECT_TRUE(
      status_lines(R"({"format":1,"new":{"a":[1]},"gateways":7,"channels":{"list":{}}})", {}));
  EXPECT_TRUE(
      status_lines(R"({"format":1,"gateways":{"list":[1,null,{}]},"relay":{"pid":-1.5}})", {}));
}

TEST(StatusView, RefusesWhatIsNone) {
  EXPECT_FALSE(status_lines("", {}));
  EXPECT_FALSE(status_lines("[]", {}));
  EXPECT_FALSE(status_lines("{", {}));
  EXPECT_EQ(status_lines(R"({"format":2})", {}).error().code, ExitCode::kLinkRefused);
  EXPECT_FALSE(status_json("nonsense", "unix:/x", 2));
}

TEST(StatusView, JsonIsTheRelaysOwnWithItsAddressAndHarmless) {
  const auto made =
      status_json(R"({"format":1,"relay":{"pid":7},"x":"\u001b\u009bä"})", "unix:/x", -1);
  ASSERT_TRUE(made);
  const Json parsed = Json::parse(*made);
  EXPECT_EQ(parsed["relay"]["address"], "unix:/x");
  EXPECT_EQ(parsed["relay"]["pid"], 7);
  for (const char c : *made) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << *made;
  EXPECT_EQ(parsed["x"], "\u001b\u009bä");
}

}  // namespace
}  // namespace sluice::ctl
