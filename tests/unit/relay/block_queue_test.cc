#include "relay/block_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "common/random.h"

namespace sluice::relay {
namespace {

TEST(BlockQueue, IsADeque) {
  SeededRandom random(3);
  BlockQueue<std::uint64_t> queue;
  std::deque<std::uint64_t> expected;
  for (int i = 0; i < 30000; ++i) {
    // Grows for a while, shrinks for a while, over several blocks and down to none.
    const bool growing = (i / 2500) % 2 == 0;
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

TEST(BlockQueue, LetsGoOfWhatIsTakenOut) {
  BlockQueue<std::shared_ptr<int>> queue;
  const auto one = std::make_shared<int>(1);
  for (int i = 0; i < 600; ++i) queue.push_back(one);
  EXPECT_EQ(one.use_count(), 601);
  for (int i = 0; i < 600; ++i) (void)queue.pop_front();
  EXPECT_EQ(one.use_count(), 1);
}

}  // namespace
}  // namespace sluice::relay
