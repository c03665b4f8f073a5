#include "gateway/session_table.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice::gateway {
namespace {

TEST(SessionTable, ASessionInAGivenSlot) {
  SessionTable table;
  ClientSession* given = table.add_at({40, 7});
  ASSERT_NE(given, nullptr);
  EXPECT_EQ(given->ref, (ClientRef{40, 7}));
  EXPECT_EQ(table.find({40, 7}), given);
  EXPECT_EQ(table.find({40, 6}), nullptr);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.slots(), 41U);
  EXPECT_EQ(table.add_at({40, 8}), nullptr);  // taken
  EXPECT_EQ(table.add_at({41, 0}), nullptr);  // nobody's generation
}

TEST(SessionTable, FreeSlotsAreUsedOnceAroundGivenOnes) {
  SessionTable table;
  ASSERT_NE(table.add_at({5, 3}), nullptr);
  ASSERT_NE(table.add_at({2, 9}), nullptr);
  std::set<std::uint32_t> used{5, 2};
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(used.insert(table.add().ref.index).second);
  EXPECT_EQ(*used.rbegin(), 5U);  // 0 to 5, no slot left out
  EXPECT_EQ(table.add().ref.index, 6U);
  EXPECT_EQ(table.size(), 7U);
}

TEST(SessionTable, AGivenSlotIsFreeAgain) {
  SessionTable table;
  ASSERT_NE(table.add_at({3, 3}), nullptr);
  ASSERT_NE(table.add_at({1, 4}), nullptr);
  table.remove({1, 4});
  // Its place is on the free list twice by now.
  std::set<std::uint32_t> used{3};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(used.insert(table.add().ref.index).second);
  EXPECT_EQ(table.slots(), 6U);
  EXPECT_EQ(table.at(1)->ref.generation, 5U);  // goes on behind the given one
}

}  // namespace
}  // namespace sluice::gateway
