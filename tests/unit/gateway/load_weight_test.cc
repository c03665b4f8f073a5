#include "gateway/load_weight.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct LoadWeightTest : ::testing::Test {
  void load(const LoadSample& sample, Duration time) {
    for (Duration passed{}; passed < time; passed += milliseconds(50)) {
      now += milliseconds(50);
      weight.sample(sample, now);
    }
  }
  TimePoint now{seconds(100)};
  LoadWeight weight{seconds(0)};
};

TEST_F(LoadWeightTest, FullWhileThereIsRoom) {
  load({.connections = 0.4}, seconds(30));
  EXPECT_EQ(weight.percent(now), 100U);
}

TEST_F(LoadWeightTest, EachOfTheThreeLowersIt) {
  for (const LoadSample& sample :
       {LoadSample{.connections = 0.95}, LoadSample{.lag = milliseconds(600)},
        LoadSample{.queued = 0.6}}) {
    LoadWeight fresh{seconds(0)};
    for (int i = 0; i < 1000; ++i) fresh.sample(sample, now += milliseconds(50));
    EXPECT_EQ(fresh.percent(now), kWeightMin);
  }
}

TEST_F(LoadWeightTest, NeverBelowTheLeast) {
  load({.connections = 5, .lag = seconds(100), .queued = 9}, seconds(60));
  EXPECT_EQ(weight.percent(now), kWeightMin);
}

TEST_F(LoadWeightTest, OneLateTickIsNoLoad) {
  load({}, seconds(10));
  weight.sample({.lag = milliseconds(400)}, now += milliseconds(450));
  EXPECT_EQ(weight.percent(now), 100U);
}

TEST_F(LoadWeightTest, FewStepsAndNoFlutter) {
  std::set<unsigned> seen;
  for (int thousandths = 500; thousandths < 960; ++thousandths) {
    load({.connections = thousandths / 1000.0}, milliseconds(500));
    seen.insert(weight.percent(now));
  }
  EXPECT_EQ(seen, (std::set<unsigned>{10, 25, 50, 75, 100}));
  // Just at the middle between two steps it stays where it is, whichever that was.
  const double middle = 0.5 + 0.45 * (100 - 87.5) / 90;
  unsigned last = 0;
  int changes = 0;
  load({.connections = middle}, seconds(60));
  for (int i = 0; i < 200; ++i) {
    load({.connections = middle + (i % 2 == 0 ? 0.01 : -0.01)}, seconds(6));
    changes += static_cast<int>(last != 0 && weight.percent(now) != last);
    last = weight.percent(now);
  }
  EXPECT_EQ(changes, 0);
}

TEST(LoadWeightRamp, RisesFromTheLeastToTheLoadsStep) {
  TimePoint now{seconds(100)};
  LoadWeight weight{seconds(20)};
  weight.begin_ramp(now);
  unsigned last = weight.percent(now);
  EXPECT_EQ(last, kWeightMin);
  for (int second = 1; second <= 20; ++second) {
    now += seconds(1);
    weight.sample({}, now);
    EXPECT_GE(weight.percent(now), last);
    EXPECT_LE(weight.percent(now) - last, 10U);
    last = weight.percent(now);
  }
  EXPECT_EQ(last, 100U);
}

TEST(LoadWeightRamp, IsNoReasonToTakeMoreThanTheLoadAllows) {
  TimePoint now{seconds(100)};
  LoadWeight weight{seconds(2)};
  weight.begin_ramp(now);
  for (int i = 0; i < 1000; ++i) weight.sample({.connections = 0.725}, now += milliseconds(50));
  EXPECT_EQ(weight.percent(now), 50U);
}

}  // namespace
}  // namespace sluice::gateway
