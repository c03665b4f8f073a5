// Clients of other make: npm's ws, and the article's three lines in a real Chromium.
#include <gtest/gtest.h>

#include <memory>
#include <regex>
#include <set>

#include "tests/process/support/haproxy.h"
#include "tests/process/support/redis_server.h"

namespace sluice::test {
namespace {

Finished node(const std::string& script, const Args& args) {
  const std::string directory = std::string(SLUICE_SOURCE_DIR) + "/tests/process/node";
  SpawnOptions options;
  options.args = {"/usr/bin/env", "node", directory + "/" + script};
  options.args.insert(options.args.end(), args.begin(), args.end());
  options.directory = directory;
  return run(std::move(options), 90s);
}

TEST(Node, NpmWsRoundTrip) {
  const TempDir directory;
  const RedisServer redis(directory);
  Stack::Settings settings;
  settings.gateways = 2;
  settings.relay_args = {"--broker", redis.url()};
  Stack stack(std::move(settings));
  const Finished finished = node("round_trip.mjs", {"ws://" + stack.gateway(0).endpoint().text(),
                                                    "ws://" + stack.gateway(1).endpoint().text()});
  EXPECT_EQ(finished.status.code, 0) << finished.output;
  EXPECT_NE(finished.output.find("round trip ok"), std::string::npos) << finished.output;
}

TEST(Node, ArticleInThreeBrowserPages) {
  const TempDir directory;
  const RedisServer redis(directory);
  Stack::Settings settings;
  settings.gateways = 4;
  settings.relay_args = {"--broker", redis.url()};
  settings.gateway_args = behind_balancer();
  settings.gateway_args.insert(settings.gateway_args.end(),
                               {"--tag-messages", "--greeting",
                                "Connected successfully to server {id}", "--greeting-delay", "1s"});
  Stack stack(std::move(settings));
  Haproxy haproxy(directory,
                  {&stack.gateway(0), &stack.gateway(1), &stack.gateway(2), &stack.gateway(3)});
  for (const auto& server : haproxy.servers()) haproxy.wait_status(server, "UP");
  const Finished finished = node("browser.mjs", {"ws://" + haproxy.endpoint().text(), "3"});
  ASSERT_EQ(finished.status.code, 0) << finished.output;
  const std::size_t at = finished.output.find("RESULT [[");
  ASSERT_NE(at, std::string::npos) << finished.output;
  std::set<std::string> gateways;
  const std::regex page_text("\\[(\"[^\\]]*)\\]");
  const std::string result = finished.output.substr(at + 8);
  for (std::sregex_iterator page(result.begin(), result.end(), page_text), end; page != end;
       ++page) {
    const std::string got = (*page)[1];
    std::smatch greeting;
    ASSERT_TRUE(std::regex_search(got, greeting,
                                  std::regex("\"Connected successfully to server (\\d{4})\"")))
        << got;
    const std::string id = greeting[1];
    gateways.insert(id);
    for (const char* client : {"1", "2", "3"}) {
      EXPECT_NE(got.find("\"" + id + ":Hello! I'm client " + client + "\""), std::string::npos)
          << got;
    }
  }
  EXPECT_EQ(gateways.size(), 3U) << result;
}

}  // namespace
}  // namespace sluice::test
