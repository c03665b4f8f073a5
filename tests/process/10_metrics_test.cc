// docs/METRICS.md is what a scrape says: no name more, no name less, of the same type.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "tests/process/support/daemons.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

/// Table rows that begin with a metric's name in backticks.
std::map<std::string, std::string> documented() {
  std::istringstream in(read_file(std::string(SLUICE_SOURCE_DIR) + "/docs/METRICS.md"));
  const std::regex row("^\\|\\s*`(sluice_[a-z0-9_]+)[^`]*`\\s*\\|(.*)$");
  std::map<std::string, std::string> found;
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (std::regex_search(line, match, row)) {
      EXPECT_TRUE(found.emplace(match[1], match[2]).second) << match[1] << " stands twice";
    }
  }
  return found;
}

class MetricsPages : public ::testing::Test {
 protected:
  MetricsPages() {
    Stack::Settings settings;
    settings.relay_args = {"--broker", redis_.url()};
    settings.gateway_args = {"--open-access"};  // else it serves plain clients alone
    stack_ = std::make_unique<Stack>(std::move(settings));
  }
  TempDir directory_;
  RedisServer redis_{directory_};
  std::unique_ptr<Stack> stack_;
};

TEST_F(MetricsPages, DocumentEqualsScrape) {
  std::map<std::string, std::string> scraped = stack_->gateway().metrics().types();
  const std::map<std::string, std::string> relay = stack_->relay().metrics().types();
  scraped.insert(relay.begin(), relay.end());
  const std::map<std::string, std::string> listed = documented();
  for (const auto& [name, type] : scraped) {
    const auto row = listed.find(name);
    if (row == listed.end()) {
      ADD_FAILURE() << name << " is not in docs/METRICS.md";
      continue;
    }
    EXPECT_NE(row->second.find(type), std::string::npos) << name << " is a " << type;
  }
  for (const auto& entry : listed) {
    EXPECT_TRUE(scraped.contains(entry.first)) << entry.first << " is in no scrape";
  }
}

TEST_F(MetricsPages, NamesAndLabelsFollowTheRules) {
  WsClient client = WsClient::connect(stack_->gateway().endpoint(), "/channel/secret-channel");
  client.send_text("x");
  ASSERT_EQ(client.text(), "x");
  for (const Metrics& metrics : {stack_->gateway().metrics(), stack_->relay().metrics()}) {
    for (const auto& [name, type] : metrics.types()) {
      EXPECT_TRUE(metrics.helps().contains(name)) << name;
      EXPECT_EQ(name.rfind("sluice_", 0), 0U) << name;
      const bool total = name.size() > 6 && name.substr(name.size() - 6) == "_total";
      EXPECT_EQ(total, type == "counter") << name << " is a " << type;
    }
    for (const auto& entry : metrics.samples()) {
      EXPECT_EQ(entry.first.find("secret-channel"), std::string::npos) << entry.first;
      EXPECT_EQ(entry.first.find("127.0.0.1"), std::string::npos) << entry.first;
    }
    EXPECT_TRUE(metrics.has("sluice_build_info"));
  }
}

TEST_F(MetricsPages, TrafficIsCounted) {
  WsClient client = WsClient::connect(stack_->gateway().endpoint());
  for (int i = 0; i < 10; ++i) client.send_text("0123456789");
  for (int i = 0; i < 10; ++i) ASSERT_EQ(client.text(), "0123456789");
  const Metrics gateway = stack_->gateway().metrics();
  EXPECT_EQ(gateway.value("sluice_gateway_connections"), 1);
  EXPECT_EQ(gateway.value("sluice_gateway_client_messages_total"), 10);
  EXPECT_EQ(gateway.value("sluice_gateway_deliveries_total"), 10);
  EXPECT_EQ(gateway.value("sluice_gateway_gap_events_total"), 0);
}

}  // namespace
}  // namespace sluice::test
