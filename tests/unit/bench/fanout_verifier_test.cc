// The fan-out bench's judge: each fault is seen as what it is.
#include "bench/fanout/verifier.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::fanout {
namespace {

constexpr std::uint32_t kRun = 7;

class VerifierTest : public testing::Test {
 protected:
  VerifierTest() { verifier_.strict(true); }

  std::string publish(std::size_t channel = 0) {
    return std::string(verifier_.publish(channel, ++now_));
  }
  std::uint64_t receive(Place& place, const std::string& text) {
    return verifier_.receive(place, text, place.channel);
  }

  Verifier verifier_{kRun, 2, 16};
  std::uint64_t now_ = 1000;
};

TEST_F(VerifierTest, InOrderIsClean) {
  Place a;
  Place b;
  verifier_.join(a);
  verifier_.join(b);
  const std::string first = publish();
  const std::string second = publish();
  EXPECT_EQ(receive(a, first), 1001U);
  EXPECT_EQ(verifier_.completed(), 0U);
  EXPECT_EQ(receive(b, first), 1001U);
  EXPECT_EQ(verifier_.completed(), 1U);
  EXPECT_EQ(receive(a, second), 1002U);
  EXPECT_EQ(receive(b, second), 1002U);
  EXPECT_EQ(verifier_.outstanding(), 0U);
  EXPECT_EQ(verifier_.deliveries(), 4U);
  EXPECT_EQ(verifier_.faults().total(), 0U);
}

TEST_F(VerifierTest, PassedOverIsLost) {
  Place a;
  verifier_.join(a);
  publish();
  publish();
  receive(a, publish());
  EXPECT_EQ(verifier_.faults().lost, 2U);
  EXPECT_EQ(verifier_.faults().total(), 2U);
  EXPECT_EQ(verifier_.outstanding(), 0U);  // nobody waits for what will not come
}

TEST_F(VerifierTest, NeverCameIsLost) {
  Place a;
  verifier_.join(a);
  receive(a, publish());
  publish();
  EXPECT_EQ(verifier_.outstanding(), 1U);
  verifier_.give_up(a);
  EXPECT_EQ(verifier_.faults().lost, 1U);
  EXPECT_EQ(verifier_.outstanding(), 0U);
}

TEST_F(VerifierTest, LaterThanGivenUpIsNoFaultMore) {
  Place a;
  verifier_.join(a);
  const std::string late = publish();
  verifier_.give_up(a);
  receive(a, late);
  receive(a, publish());
  EXPECT_EQ(verifier_.faults().lost, 1U);
  EXPECT_EQ(verifier_.faults().total(), 1U);
}

TEST_F(VerifierTest, AgainIsTwice) {
  Place a;
  verifier_.join(a);
  const std::string text = publish();
  receive(a, text);
  EXPECT_EQ(receive(a, text), 0U);
  EXPECT_EQ(verifier_.faults().twice, 1U);
  EXPECT_EQ(verifier_.faults().total(), 1U);
  EXPECT_EQ(verifier_.deliveries(), 1U);
}

TEST_F(VerifierTest, LateIsMisorderedNotLost) {
  Place a;
  verifier_.join(a);
  const std::string first = publish();
  receive(a, publish());
  EXPECT_EQ(verifier_.faults().lost, 1U);
  receive(a, first);
  EXPECT_EQ(verifier_.faults().lost, 0U);
  EXPECT_EQ(verifier_.faults().misordered, 1U);
  receive(a, first);
  EXPECT_EQ(verifier_.faults().twice, 1U);
}

TEST_F(VerifierTest, EachBytesChangeIsCorrupt) {
  for (std::size_t at = 0; at < kPayloadBytes; ++at) {
    Verifier verifier(kRun, 1, 16);
    verifier.strict(true);
    Place a;
    verifier.join(a);
    std::string text(verifier.publish(0, 0x123456789abcdef0U));
    text[at] = text[at] == '1' ? '2' : '1';
    EXPECT_EQ(verifier.receive(a, text, 0), 0U) << at;
    EXPECT_EQ(verifier.faults().corrupt, 1U) << at;
    EXPECT_EQ(verifier.deliveries(), 0U) << at;
  }
}

TEST_F(VerifierTest, ShortLongAndForeignAreCorrupt) {
  Place a;
  verifier_.join(a);
  const std::string text = publish();
  receive(a, text.substr(1));
  receive(a, text + "x");
  receive(a, "");
  EXPECT_EQ(verifier_.faults().corrupt, 3U);
  Place other;
  other.channel = 1;
  verifier_.join(other);
  receive(other, text);  // of another channel
  EXPECT_EQ(verifier_.faults().corrupt, 4U);
  MessageText foreign;
  write_message({kRun + 1, 0, 1, 1001}, foreign);
  receive(a, std::string(foreign.data(), foreign.size()));
  EXPECT_EQ(verifier_.faults().corrupt, 5U);
  write_message({kRun, 0, 2, 1002}, foreign);  // not published yet
  receive(a, std::string(foreign.data(), foreign.size()));
  EXPECT_EQ(verifier_.faults().corrupt, 6U);
}

TEST_F(VerifierTest, NewcomerMustGetWhatIsPublishedFromThenOn) {
  Place a;
  const std::string before = publish();
  verifier_.join(a);
  EXPECT_EQ(receive(a, before), 0U);  // allowed, not counted
  EXPECT_EQ(verifier_.faults().total(), 0U);
  publish();
  receive(a, publish());
  EXPECT_EQ(verifier_.faults().lost, 1U);
}

TEST_F(VerifierTest, NobodyWaitsForWhoHasLeft) {
  Place a;
  Place b;
  verifier_.join(a);
  verifier_.join(b);
  const std::string text = publish();
  receive(a, text);
  EXPECT_EQ(verifier_.outstanding(), 1U);
  verifier_.leave(b);
  EXPECT_EQ(verifier_.outstanding(), 0U);
  receive(a, publish());
  EXPECT_EQ(verifier_.outstanding(), 0U);
  EXPECT_EQ(verifier_.faults().total(), 0U);
}

TEST_F(VerifierTest, WarmUpCountsNoFault) {
  verifier_.strict(false);
  Place a;
  verifier_.join(a);
  publish();
  receive(a, publish());
  EXPECT_TRUE(verifier_.has_latest(a));
  EXPECT_EQ(verifier_.faults().total(), 0U);
  EXPECT_EQ(verifier_.outstanding(), 0U);
}

TEST_F(VerifierTest, KeepsNoMoreThanItsBound) {
  Place a;
  verifier_.join(a);
  std::size_t count = 0;
  for (; verifier_.has_room(0); ++count) publish();
  EXPECT_EQ(count, 15U);
  verifier_.give_up(a);
  EXPECT_TRUE(verifier_.has_room(0));
}

}  // namespace
}  // namespace sluice::fanout
