#include "gateway/departures.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct DeparturesTest : ::testing::Test {
  /// A client that came and last spoke so long ago.
  ClientSession& add(Duration came, Duration spoke) {
    ClientSession& session = sessions.add();
    session.state.connected_at = now - came;
    session.state.spoke_at = now - spoke;
    return session;
  }
  void tick(double drain_rate = 1000, double age_rate = 1000) {
    now += milliseconds(50);
    departures.tick(drain_rate, age_rate, now, [this](ClientSession& s, DepartureCause cause) {
      s.phase = SessionPhase::kClosing;
      gone.push_back((cause == DepartureCause::kDrain ? "drain " : "age ") +
                     std::to_string(s.ref.index));
    });
  }
  void run(int ticks = 100) {
    for (int i = 0; i < ticks; ++i) tick();
  }
  TimePoint now{std::chrono::hours(10)};
  SessionTable sessions;
  Departures departures{sessions};
  std::vector<std::string> gone;
};

using Gone = std::vector<std::string>;

TEST_F(DeparturesTest, IdleBeforeBusy) {
  add(minutes(5), milliseconds(10));
  add(minutes(5), minutes(1));
  add(minutes(5), minutes(4));
  add(minutes(5), seconds(20)).publishes_pending = 1;
  departures.begin_drain(TimePoint::max());
  EXPECT_EQ(departures.open_for_drain(), 4U);
  run();
  ASSERT_EQ(gone.size(), 4U);
  EXPECT_EQ(Gone(gone.begin(), gone.begin() + 2), (Gone{"drain 2", "drain 1"}));
  EXPECT_EQ(departures.open_for_drain(), 0U);
}

TEST_F(DeparturesTest, WhoNeverFallsSilentGoesToo) {
  ClientSession& busy = add(minutes(5), seconds(0));
  departures.begin_drain(TimePoint::max());
  for (int i = 0; i < 100; ++i) {
    if (busy.phase == SessionPhase::kOpen) busy.state.spoke_at = now;
    tick();
  }
  EXPECT_EQ(gone, Gone{"drain 0"});
}

TEST_F(DeparturesTest, NobodyGoesBeforeTheDrainIsAnnounced) {
  add(minutes(5), minutes(1));
  departures.begin_drain(TimePoint::max());
  for (int i = 0; i < 100; ++i) tick(0);
  EXPECT_EQ(gone, Gone{});
}

TEST_F(DeparturesTest, OnlyThoseThatCameByThen) {
  add(minutes(5), minutes(5));
  add(seconds(58), seconds(58));
  departures.begin_drain(now - minutes(1));
  EXPECT_EQ(departures.open_for_drain(), 1U);
  run(200);
  EXPECT_EQ(gone, Gone{"drain 0"}) << "nobody grows into it";
}

TEST_F(DeparturesTest, ADrainTakenBackLetsTheRestStay) {
  for (int i = 0; i < 100; ++i) add(minutes(5), minutes(5));
  departures.begin_drain(TimePoint::max());
  for (int i = 0; i < 10; ++i) tick(20);
  const std::size_t before = gone.size();
  EXPECT_GT(before, 0U);
  departures.end_drain();
  run();
  EXPECT_EQ(gone.size(), before);
  EXPECT_EQ(departures.open_for_drain(), 0U);
}

TEST_F(DeparturesTest, TheAgedLeaveInTheirOrderAtTheirRate) {
  for (int i = 0; i < 50; ++i) departures.aged(add(minutes(5), minutes(5)).ref);
  for (int i = 0; i < 20; ++i) tick(0, 10);
  EXPECT_GE(gone.size(), 8U);
  EXPECT_LE(gone.size(), 10U);
  EXPECT_EQ(gone.front(), "age 0");
  EXPECT_EQ(departures.aged_waiting(), 50 - gone.size());
}

TEST_F(DeparturesTest, DrainAndAgeShareOneRate) {
  for (int i = 0; i < 200; ++i) {
    ClientSession& session = add(minutes(5), minutes(5));
    if (i % 2 == 0) departures.aged(session.ref);
  }
  departures.begin_drain(TimePoint::max());
  for (int i = 0; i < 20; ++i) tick(40, 40);
  EXPECT_LE(gone.size(), 40U);
}

TEST_F(DeparturesTest, ThoseThatLeftBythemselvesAreNoLoss) {
  departures.aged(add(minutes(5), minutes(5)).ref);
  sessions.remove({0, 1});
  departures.aged(add(minutes(5), minutes(5)).ref);
  run(10);
  EXPECT_EQ(gone, Gone{"age 0"});
}

}  // namespace
}  // namespace sluice::gateway
