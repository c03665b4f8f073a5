#include "relay/publishes_in_flight.h"

#include <gtest/gtest.h>

#include <map>

#include "common/random.h"

namespace sluice::relay {
namespace {

TEST(PublishesInFlight, InTheOrderAsked) {
  PublishesInFlight in_flight;
  for (std::uint64_t i = 1; i <= 100; ++i) EXPECT_EQ(in_flight.add({.link = 1, .request = i}), i);
  EXPECT_EQ(in_flight.count(), 100U);
  for (std::uint64_t i = 1; i <= 100; ++i) EXPECT_EQ(in_flight.take(i).request, i);
  EXPECT_EQ(in_flight.count(), 0U);
  EXPECT_EQ(in_flight.add({}), 101U);
}

TEST(PublishesInFlight, InAnyOrder) {
  SeededRandom random(9);
  PublishesInFlight in_flight;
  std::map<PublishId, std::uint64_t> expected;
  for (int i = 0; i < 5000; ++i) {
    if (expected.size() < 50 && random.below(2) == 0) {
      const std::uint64_t request = random.next();
      expected.emplace(in_flight.add({.link = 2, .request = request, .acknowledge = true}),
                       request);
    } else if (!expected.empty()) {
      const auto one =
          std::next(expected.begin(), static_cast<long>(random.below(expected.size())));
      const PublishRequest taken = in_flight.take(one->first);
      ASSERT_EQ(taken.request, one->second);
      ASSERT_TRUE(taken.acknowledge);
      expected.erase(one);
    }
    ASSERT_EQ(in_flight.count(), expected.size());
  }
}

}  // namespace
}  // namespace sluice::relay
