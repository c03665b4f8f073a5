#include "gateway/protocols/name_pool.h"

#include <gtest/gtest.h>

#include <memory>

namespace sluice::gateway {
namespace {

struct Counted {
  int number = 0;
};
using Pool = NamePool<Counted>;

TEST(NamePool, OneEntryPerNameWhileItIsHeld) {
  Pool pool;
  Pool::Name a = pool.hold("a");
  const Pool::Name again = pool.hold("a");
  EXPECT_TRUE(a == again);
  EXPECT_EQ(a->holders(), 2U);
  EXPECT_EQ(pool.find("a"), a.get());
  EXPECT_EQ(pool.find("b"), nullptr);
  a->extra.number = 7;
  EXPECT_EQ(again->extra.number, 7);
  a = pool.hold("b");
  EXPECT_EQ(pool.size(), 2U);
  a = {};
  EXPECT_EQ(pool.size(), 1U);
  EXPECT_EQ(pool.find("b"), nullptr);
}

TEST(NamePool, AWholeWalk) {
  Pool pool;
  const Pool::Name a = pool.hold("a");
  const Pool::Name b = pool.hold("b");
  std::size_t seen = 0;
  pool.each([&](const Pool::Entry& entry) { seen += entry.name().size(); });
  EXPECT_EQ(seen, 2U);
}

TEST(NamePool, HoldersMayOutliveIt) {
  Pool::Name held;
  {
    Pool pool;
    held = pool.hold("a");
  }
  EXPECT_EQ(held->name(), "a");
}

}  // namespace
}  // namespace sluice::gateway
