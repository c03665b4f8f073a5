// The small tools that everything stands on: time, randomness, ownership, CHECK.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "common/check.h"
#include "common/clock.h"
#include "common/random.h"
#include "common/ref_ptr.h"
#include "common/unique_fd.h"

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(Clock, ManualTimeMovesOnlyWhenTold) {
  ManualTime time;
  const TimePoint before = time.now();
  EXPECT_EQ(time.now(), before);
  time.advance(3s);
  EXPECT_EQ(time.now() - before, 3s);
}

TEST(Clock, SteadyTimeDoesNotGoBack) {
  const SteadyTime time;
  const TimePoint a = time.now();
  EXPECT_LE(a, time.now());
}

TEST(Clock, WireMicrosAreTheLowBits) {
  EXPECT_EQ(wire_micros(TimePoint(7us)), 7U);
  EXPECT_EQ(wire_micros(TimePoint(std::chrono::microseconds((std::int64_t{1} << 32U) + 7))), 7U);
  // A difference across the wrap is still right.
  const TimePoint before(std::chrono::microseconds((std::int64_t{1} << 32U) - 10));
  EXPECT_EQ(wire_micros(before + 25us) - wire_micros(before), 25U);
}

TEST(Random, SeededRepeatsItself) {
  SeededRandom a(5);
  SeededRandom b(5);
  SeededRandom c(6);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
}

TEST(Random, BelowStaysBelow) {
  SeededRandom random(5);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.below(10));
  EXPECT_EQ(seen.size(), 10U);
  EXPECT_EQ(*seen.rbegin(), 9U);
  EXPECT_EQ(random.below(1), 0U);
}

TEST(Random, SystemDoesNotRepeatItself) {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.next());
  EXPECT_EQ(seen.size(), 1000U);
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) != -1;
}

TEST(UniqueFd, ClosesWhatItOwns) {
  const int raw = ::dup(2);
  {
    const UniqueFd fd(raw);
    EXPECT_TRUE(fd.valid());
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(UniqueFd, MovesItsDescriptor) {
  const int raw = ::dup(2);
  const int other = ::dup(2);
  UniqueFd a(raw);
  UniqueFd b(other);
  b = std::move(a);
  EXPECT_FALSE(is_open(other)) << "what was owned before is closed";
  EXPECT_EQ(b.get(), raw);
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): empty, as promised
  EXPECT_FALSE(a.valid());
  UniqueFd& same = b;
  b = std::move(same);
  EXPECT_TRUE(is_open(raw)) << "moving onto itself keeps it";
}

TEST(UniqueFd, ReleaseGivesItAway) {
  UniqueFd fd(::dup(2));
  const UniqueFd taken(fd.release());
  EXPECT_FALSE(fd.valid());
  EXPECT_TRUE(is_open(taken.get()));
}

class Counted {
 public:
  explicit Counted(int& alive) : alive_(alive) { ++alive_; }
  void add_ref() const { ++references_; }
  void release() const {
    if (--references_ == 0) delete this;
  }
  [[nodiscard]] int references() const { return references_; }

 private:
  ~Counted() { --alive_; }
  int& alive_;
  mutable int references_ = 1;
};

TEST(RefPtr, FreesAtTheLastReference) {
  int alive = 0;
  {
    auto a = RefPtr<Counted>::adopt(new Counted(alive));
    EXPECT_EQ(a->references(), 1);
    RefPtr<Counted> b = a;
    EXPECT_EQ(a->references(), 2);
    EXPECT_TRUE(a == b);
    const RefPtr<Counted> c = std::move(b);
    EXPECT_EQ(a->references(), 2);
    a = RefPtr<Counted>();
    EXPECT_EQ(c->references(), 1);
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(RefPtr, AssignmentToItselfKeepsTheObject) {
  int alive = 0;
  auto a = RefPtr<Counted>::adopt(new Counted(alive));
  const auto& same = a;
  a = same;
  EXPECT_EQ(a->references(), 1);
  EXPECT_EQ(alive, 1);
}

TEST(RefPtr, SharesAnObjectThatIsOwnedElsewhere) {
  int alive = 0;
  const auto a = RefPtr<Counted>::adopt(new Counted(alive));
  const RefPtr<Counted> b(a.get());
  EXPECT_EQ(a->references(), 2);
  EXPECT_FALSE(static_cast<bool>(RefPtr<Counted>()));
  EXPECT_EQ(sizeof(RefPtr<Counted>), sizeof(void*));
}

TEST(CheckDeathTest, EndsTheProcessAndSaysWhere) {
  const auto check = [](int value) { CHECK(value == 1); };
  check(1);
  EXPECT_DEATH(check(2), "CHECK failed: value == 1 at .*basics_test.cc:[0-9]+");
}

}  // namespace
}  // namespace sluice
