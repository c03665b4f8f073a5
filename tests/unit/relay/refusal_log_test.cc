#include "relay/refusal_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "relay/limits.h"

namespace sluice::relay {
namespace {

using namespace std::chrono_literals;

struct RefusingWorld {
  std::vector<std::string> ended;
  TimePoint now{};
  RefusalLog log{[this](std::string_view what, std::uint64_t more) {
    ended.push_back(std::string(what) + " " + std::to_string(more));
  }};

  bool refused(std::string_view what) { return log.refused(what, now); }
  void pass(Duration time) { log.tick(now += time); }
};

TEST(RefusalLog, SaysOnceAndTheNumberWhenItEnds) {
  RefusingWorld w;
  EXPECT_TRUE(w.refused("gateway 1"));
  for (int i = 0; i < 50; ++i) {
    w.pass(400ms);
    EXPECT_FALSE(w.refused("gateway 1"));
  }
  EXPECT_TRUE(w.refused("gateway 2"));
  w.pass(kRefusalQuiet - 1ms);
  EXPECT_TRUE(w.ended.empty());
  w.pass(1ms);
  // The second was refused once, and that was said.
  EXPECT_EQ(w.ended, std::vector<std::string>{"gateway 1 50"});
  EXPECT_TRUE(w.refused("gateway 1"));
}

TEST(RefusalLog, EndsWhenItsReasonIsGone) {
  RefusingWorld w;
  EXPECT_TRUE(w.refused("gateway 1"));
  EXPECT_FALSE(w.refused("gateway 1"));
  w.log.end("gateway 1");
  w.log.end("gateway 1");
  w.log.end("never seen");
  EXPECT_EQ(w.ended, std::vector<std::string>{"gateway 1 1"});
  EXPECT_TRUE(w.refused("gateway 1"));
}

TEST(RefusalLog, HoldsABoundedNumber) {
  RefusingWorld w;
  std::size_t said = 0;
  for (std::size_t i = 0; i < 10 * kRefusalEpisodesMax; ++i) {
    said += w.refused("gateway " + std::to_string(i)) ? 1 : 0;
  }
  EXPECT_EQ(said, kRefusalEpisodesMax);
  w.pass(kRefusalQuiet);
  const std::size_t more = 10 * kRefusalEpisodesMax - kRefusalEpisodesMax;
  EXPECT_EQ(w.ended, std::vector<std::string>{"other links " + std::to_string(more)});
}

}  // namespace
}  // namespace sluice::relay
