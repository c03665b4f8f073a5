#include "bench/deploy/delivery.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace sluice::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kRoom = 1;

TimePoint at(int second) {
  return TimePoint{} + seconds(100 + second);
}

Message message(std::uint32_t number, std::uint32_t room = kRoom) {
  return {room, 7, number};
}

/// One message a second, numbered like its second, from 1 to 20.
class DeliveryTest : public ::testing::Test {
 protected:
  DeliveryTest() {
    for (std::uint32_t i = 1; i <= 20; ++i) order_.carried(message(i), at(static_cast<int>(i)));
  }
  void arrive(Delivery& delivery, std::initializer_list<std::uint32_t> numbers) {
    for (const std::uint32_t number : numbers)
      delivery.arrived(message(number), at(static_cast<int>(number)));
    delivery.compare(order_, faults_);
  }
  std::uint64_t count(FaultKind kind) const {
    std::uint64_t sum = 0;
    for (const DeliveryFault& fault : faults_) sum += fault.kind == kind ? fault.messages : 0;
    return sum;
  }
  RoomOrder order_{3};
  std::vector<DeliveryFault> faults_;
};

TEST_F(DeliveryTest, WholeAndInOrderIsNoFault) {
  Delivery delivery(kRoom, at(4));
  arrive(delivery, {5, 6, 7, 8, 9, 10});
  delivery.finish(order_, at(11), faults_);
  EXPECT_TRUE(faults_.empty());
  EXPECT_EQ(delivery.waiting(), 0U);
}

TEST_F(DeliveryTest, AHoleIsMissingWhereItShows) {
  Delivery delivery(kRoom, at(4));
  arrive(delivery, {5, 6, 9, 10});
  ASSERT_EQ(faults_.size(), 1U);
  EXPECT_EQ(faults_[0].kind, FaultKind::kMissing);
  EXPECT_EQ(faults_[0].messages, 2U);
  EXPECT_EQ(faults_[0].at, at(9));
}

TEST_F(DeliveryTest, TheSameAgainIsRepeated) {
  Delivery delivery(kRoom, at(4));
  arrive(delivery, {5, 6, 6, 5, 7});
  EXPECT_EQ(count(FaultKind::kRepeated), 2U);
  EXPECT_EQ(faults_.size(), 2U);
}

TEST_F(DeliveryTest, ALateOneIsMisplaced) {
  Delivery delivery(kRoom, at(4));
  arrive(delivery, {5, 7, 6, 8});
  EXPECT_EQ(count(FaultKind::kMissing), 1U);  // it was, until it came
  EXPECT_EQ(count(FaultKind::kMisplaced), 1U);
  arrive(delivery, {6});
  EXPECT_EQ(count(FaultKind::kRepeated), 1U);
}

TEST_F(DeliveryTest, OneFromBeforeTheFirstIsMisplaced) {
  Delivery delivery(kRoom, at(4));
  arrive(delivery, {6, 5});
  EXPECT_EQ(count(FaultKind::kMisplaced), 1U);
}

TEST_F(DeliveryTest, AnotherRoomsMessageIsForeign) {
  Delivery delivery(kRoom, at(4));
  delivery.arrived(message(5, 2), at(5));
  delivery.compare(order_, faults_);
  EXPECT_EQ(count(FaultKind::kForeign), 1U);
}

TEST_F(DeliveryTest, WhatTheOrderHasNotYetWaits) {
  Delivery delivery(kRoom, at(18));
  arrive(delivery, {19, 20, 21});
  EXPECT_EQ(delivery.waiting(), 1U);
  EXPECT_TRUE(faults_.empty());
  order_.carried(message(21), at(21));
  delivery.compare(order_, faults_);
  EXPECT_EQ(delivery.waiting(), 0U);
  EXPECT_TRUE(faults_.empty());
}

TEST_F(DeliveryTest, WhatWasNeverCarriedIsForeignInTheEnd) {
  Delivery delivery(kRoom, at(18));
  arrive(delivery, {19, 20, 25});
  delivery.finish(order_, at(21), faults_);
  EXPECT_EQ(count(FaultKind::kForeign), 1U);
}

TEST_F(DeliveryTest, SilenceWhileOthersSpokeIsMissing) {
  Delivery delivery(kRoom, at(1));
  delivery.finish(order_, at(20), faults_);
  // Carried from second 4 to 16: not within three seconds of begin or end.
  EXPECT_EQ(count(FaultKind::kMissing), 13U);
}

TEST_F(DeliveryTest, ALateBeginAndAnEarlyEndAreMissing) {
  Delivery delivery(kRoom, at(1));
  arrive(delivery, {8, 9, 10});
  delivery.finish(order_, at(20), faults_);
  EXPECT_EQ(count(FaultKind::kMissing), 4U + 6U);  // 4 to 7, 11 to 16
}

TEST_F(DeliveryTest, BeginAndEndNeedNotBeWhole) {
  Delivery delivery(kRoom, at(1));
  arrive(delivery, {4, 5, 6, 7});
  delivery.finish(order_, at(11), faults_);
  EXPECT_TRUE(faults_.empty());
}

TEST_F(DeliveryTest, AShortConnectionNeedsNothing) {
  Delivery delivery(kRoom, at(5));
  delivery.finish(order_, at(10), faults_);
  EXPECT_TRUE(faults_.empty());
}

TEST(RoomOrder, WhatRedisCarriesTwiceIsCounted) {
  RoomOrder order(3);
  order.carried(message(1), at(1));
  order.carried(message(1), at(2));
  EXPECT_EQ(order.repeated(), 1U);
  EXPECT_EQ(order.total(), 1U);
  EXPECT_EQ(order.place(message(1)), 1U);
  EXPECT_EQ(order.place(message(2)), std::nullopt);
  EXPECT_EQ(order.place(message(1, 99)), std::nullopt);
  EXPECT_EQ(order.first_from(kRoom, at(1)), 1U);
  EXPECT_EQ(order.first_from(kRoom, at(1) + milliseconds(1)), 2U);
}

TEST(BenchMessage, ReadsWhatItWrites) {
  const Message one{79, 4123, 17};
  EXPECT_EQ(to_text(one, 40).size(), 40U);
  EXPECT_EQ(parse_message(to_text(one, 40)), one);
  EXPECT_EQ(parse_message(to_text(one, 0)), one);
  EXPECT_EQ(channel_of(79), "r79");
  for (const char* bad :
       {"", "d", "d ", "d 1 2", "d 1 2 ", "d 1 2 x", "d 1 2 3", "e 1 2 3 ", "d 1 2 99999999999 "})
    EXPECT_EQ(parse_message(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace sluice::bench
