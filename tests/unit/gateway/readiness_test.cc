#include "gateway/readiness.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

using std::chrono::seconds;

TimePoint at(int second) {
  return TimePoint{seconds(1000 + second)};
}

TEST(Readiness, StartsAndWaitsForTheRelay) {
  Readiness r({ReadyRequires::kRelay, seconds(10)});
  EXPECT_EQ(r.answer(at(0)).state, ReadyState::kStarting);
  EXPECT_EQ(r.answer(at(100)).state, ReadyState::kStarting);
  r.relay_up(true, at(100));
  EXPECT_EQ(r.answer(at(100)).state, ReadyState::kReady);
}

TEST(Readiness, RelayAwayIsDegradedInsideTheGraceAndNotReadyBeyond) {
  Readiness r({ReadyRequires::kRelay, seconds(10)});
  r.relay_up(true, at(0));
  r.relay_up(false, at(5));
  r.relay_up(false, at(9));  // still the same outage
  EXPECT_EQ(r.answer(at(14)).state, ReadyState::kDegraded);
  EXPECT_EQ(r.answer(at(15)).state, ReadyState::kNotReady);
  EXPECT_EQ(r.answer(at(15)).text, "not ready: the relay is away for 10 s");
  r.relay_up(true, at(16));
  EXPECT_EQ(r.answer(at(16)).state, ReadyState::kReady);
}

TEST(Readiness, BrokerAwayIsDegradedForEverUnlessRequired) {
  Readiness relay({ReadyRequires::kRelay, seconds(10)});
  relay.relay_up(true, at(0));
  relay.broker_up(false, "connection refused", at(1));
  EXPECT_EQ(relay.answer(at(1000)).state, ReadyState::kDegraded);
  EXPECT_NE(relay.answer(at(1000)).text.find("connection refused"), std::string::npos);
  relay.broker_up(true, "", at(1001));
  EXPECT_EQ(relay.answer(at(1001)).state, ReadyState::kReady);

  Readiness broker({ReadyRequires::kBroker, seconds(10)});
  broker.relay_up(true, at(0));
  broker.broker_up(false, "x", at(1));
  EXPECT_EQ(broker.answer(at(10)).state, ReadyState::kDegraded);
  EXPECT_EQ(broker.answer(at(11)).state, ReadyState::kNotReady);
}

TEST(Readiness, NothingRequired) {
  Readiness r({ReadyRequires::kNone, seconds(10)});
  EXPECT_EQ(r.answer(at(50)).state, ReadyState::kDegraded);
}

TEST(Readiness, DrainingIsForGood) {
  Readiness r({ReadyRequires::kRelay, seconds(10)});
  r.relay_up(true, at(0));
  r.drain();
  EXPECT_EQ(r.answer(at(1)).state, ReadyState::kDraining);
  r.relay_up(false, at(2));
  EXPECT_EQ(r.answer(at(100)).state, ReadyState::kDraining);
}

TEST(Readiness, StatusCodes) {
  EXPECT_EQ(Readiness::http_status(ReadyState::kStarting), 503);
  EXPECT_EQ(Readiness::http_status(ReadyState::kReady), 200);
  EXPECT_EQ(Readiness::http_status(ReadyState::kDegraded), 200);
  EXPECT_EQ(Readiness::http_status(ReadyState::kNotReady), 503);
  EXPECT_EQ(Readiness::http_status(ReadyState::kDraining), 404);
}

}  // namespace
}  // namespace sluice::gateway
