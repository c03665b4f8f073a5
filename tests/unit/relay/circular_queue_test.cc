#include "relay/circular_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "common/random.h"

namespace sluice::relay {
namespace {

TEST(CircularQueue, IsADeque) {
  SeededRandom random(3);
  CircularQueue<std::uint64_t> queue;
  std::deque<std::uint64_t> expected;
  for (int i = 0; i < 20000; ++i) {
    // Grows for a while, shrinks for a while: across the wrap, and through growth while wrapped.
    const bool growing = (i / 500) % 2 == 0;
    if (expected.empty() || random.below(10) < (growing ? 7U : 3U)) {
      queue.push_back(random.next());
      expected.push_back(queue[queue.size() - 1]);
    } else {
      ASSERT_EQ(queue.pop_front(), expected.front());
      expected.pop_front();
    }
    ASSERT_EQ(queue.size(), expected.size());
    ASSERT_EQ(queue.empty(), expected.empty());
    if (expected.empty()) continue;
    ASSERT_EQ(queue.front(), expected.front());
    const std::size_t place = random.below(expected.size());
    ASSERT_EQ(queue[place], expected[place]);
  }
}

TEST(CircularQueue, LetsGoOfWhatIsTakenOut) {
  CircularQueue<std::shared_ptr<int>> queue;
  const auto one = std::make_shared<int>(1);
  for (int i = 0; i < 40; ++i) queue.push_back(one);
  EXPECT_EQ(one.use_count(), 41);
  for (int i = 0; i < 40; ++i) (void)queue.pop_front();
  EXPECT_EQ(one.use_count(), 1);
}

}  // namespace
}  // namespace sluice::relay
