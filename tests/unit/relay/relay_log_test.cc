#include "relay/relay_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "common/log.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

TEST(RelayLog, BoundsTheLinesOfOneOutageAndSumsUpTheRest) {
  testing::internal::CaptureStderr();
  log_init(LogLevel::kInfo, LogFormat::kText, "relay");
  RelayLog log;
  const std::size_t broken = kGapLogLinesMax + 50;
  for (int outage = 0; outage < 2; ++outage) {
    log.broker_away("gone");
    log.broker_connected();
    for (std::size_t i = 0; i < broken; ++i) {
      log.continuity_lost("channel", std::chrono::milliseconds(1500));
    }
    for (int i = 0; i < 3; ++i) log.tick();
  }
  const std::string said = testing::internal::GetCapturedStderr();
  const auto lines = static_cast<std::size_t>(std::count(said.begin(), said.end(), '\n'));
  EXPECT_EQ(lines, 2 * (2 + kGapLogLinesMax + 1));
  EXPECT_NE(said.find("gap on channel: broker, nobody listened for 1500 ms"), std::string::npos);
  EXPECT_NE(said.find("gaps on 50 more channels"), std::string::npos);
}

TEST(RelayLog, OversizedMessagesAreSaidAtOnceThenSummedUp) {
  testing::internal::CaptureStderr();
  log_init(LogLevel::kInfo, LogFormat::kText, "relay");
  RelayLog log;
  const auto flood = [&] {
    for (int i = 0; i < 1000; ++i) log.message_oversized("big", 64U << 20U);
  };
  flood();
  for (std::size_t i = 0; i < kOversizedLogTicks; ++i) log.tick();
  flood();
  for (std::size_t i = 0; i < 3 * kOversizedLogTicks; ++i) log.tick();
  log.message_oversized("big", 64U << 20U);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 4);
  EXPECT_NE(said.find("gap on big: oversized, a message of 67108864 bytes"), std::string::npos);
  EXPECT_NE(said.find("oversized, 999 more messages"), std::string::npos);
  EXPECT_NE(said.find("oversized, 1000 more messages"), std::string::npos);
}

TEST(RelayLog, AChannelsNameCanNotPassForMore) {
  testing::internal::CaptureStderr();
  log_init(LogLevel::kInfo, LogFormat::kText, "relay");
  RelayLog log;
  log.channel_subscribed("\x01members news");
  log.channel_unsubscribed("a\nbroker away: no");
  log.messages_lost("\x1b[31m", 3);
  log.continuity_lost("\x01reply", std::chrono::milliseconds(5));
  log.message_oversized("\x01nodes", 64U << 20U);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 5) << said;
  EXPECT_EQ(said.find_first_of("\x01\x1b"), std::string::npos) << said;
  EXPECT_NE(said.find(R"(subscribed to "\x01members news")"), std::string::npos) << said;
  EXPECT_NE(said.find(R"(unsubscribed from "a\x0abroker away: no")"), std::string::npos) << said;
}

}  // namespace
}  // namespace sluice::relay
