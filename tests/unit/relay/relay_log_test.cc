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

}  // namespace
}  // namespace sluice::relay
