#include "gateway/outbox.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "proto/frame.h"

namespace sluice::gateway {
namespace {

FrameRef frame_of(std::string_view text) {
  return FrameRun::make(Opcode::kText, {}, proto::as_bytes(text));
}

std::string joined(const Outbox& outbox) {
  std::array<iovec, 16> vectors;
  const std::size_t n = outbox.fill(vectors);
  std::string all;
  for (std::size_t i = 0; i < n; ++i)
    all.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  return all;
}

TEST(Frame, HasTheMinimalLengthForm) {
  EXPECT_EQ(frame_of("hi")->size(), 4U);
  EXPECT_EQ(frame_of("hi")->bytes()[0], 0x81);
  EXPECT_EQ(frame_of("hi")->bytes()[1], 2);
  EXPECT_EQ(frame_of(std::string(125, 'x'))->size(), 127U);
  const FrameRef medium = frame_of(std::string(126, 'x'));
  EXPECT_EQ(medium->size(), 130U);
  EXPECT_EQ(medium->bytes()[1], 126);
  EXPECT_EQ(medium->bytes()[3], 126);
  EXPECT_EQ(frame_of(std::string(65535, 'x'))->size(), 65539U);
  const FrameRef large = frame_of(std::string(65536, 'x'));
  EXPECT_EQ(large->size(), 65546U);
  EXPECT_EQ(large->bytes()[1], 127);
  EXPECT_EQ(large->bytes()[7], 1);
}

TEST(Frame, PutsThePrefixBeforeThePayload) {
  const FrameRef frame = FrameRun::make(Opcode::kBinary, "1111:", proto::as_bytes("hi"));
  EXPECT_EQ(proto::as_text(frame->bytes()), std::string("\x82\x07", 2) + "1111:hi");
}

TEST(Outbox, TakesWholeAndPartialFramesFromTheFront) {
  Outbox outbox;
  for (const char* text : {"one", "two", "three"})
    ASSERT_EQ(outbox.push(frame_of(text), 1000), Enqueue::kOk);
  EXPECT_EQ(outbox.frames(), 3U);
  EXPECT_EQ(outbox.bytes(), 17U);
  EXPECT_EQ(outbox.consume(5), 1U);
  EXPECT_EQ(joined(outbox), "\x81\x03two\x81\x05three");
  EXPECT_EQ(outbox.consume(3), 0U);
  EXPECT_EQ(outbox.frames(), 2U);
  EXPECT_EQ(outbox.bytes(), 9U);
  EXPECT_EQ(joined(outbox), "wo\x81\x05three");
  EXPECT_EQ(outbox.consume(9), 2U);
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(outbox.bytes(), 0U);
}

TEST(Outbox, CutsAtEveryByte) {
  const std::string all =
      "\x81\x01"
      "a\x81\x02"
      "bc\x81\x03"
      "def";
  for (std::size_t n = 0; n <= all.size(); ++n) {
    Outbox outbox;
    for (const char* text : {"a", "bc", "def"})
      ASSERT_EQ(outbox.push(frame_of(text), 1000), Enqueue::kOk);
    outbox.consume(n);
    EXPECT_EQ(joined(outbox), all.substr(n)) << n;
    EXPECT_EQ(outbox.bytes(), all.size() - n);
  }
}

TEST(Outbox, RefusesAtItsBoundButNotTheFirstFrame) {
  Outbox outbox;
  EXPECT_EQ(outbox.push(frame_of(std::string(100, 'x')), 50), Enqueue::kOk);
  EXPECT_EQ(outbox.push(frame_of("y"), 50), Enqueue::kFull);
  EXPECT_EQ(outbox.frames(), 1U);
  outbox.consume(102);
  EXPECT_EQ(outbox.push(frame_of("y"), 50), Enqueue::kOk);
}

TEST(Outbox, KeepsOrderAcrossManyPushesAndTakes) {
  Outbox outbox;
  std::string expected;
  std::string got;
  for (int i = 0; i < 1000; ++i) {
    const FrameRef frame = frame_of(std::to_string(i));
    expected += proto::as_text(frame->bytes());
    ASSERT_EQ(outbox.push(frame, 1U << 20U), Enqueue::kOk);
    if (i % 3 == 2) {
      const std::string front = joined(outbox).substr(0, 3);
      outbox.consume(3);
      got += front;
    }
  }
  while (!outbox.empty()) {
    const std::string some = joined(outbox);
    got += some;
    outbox.consume(some.size());
  }
  EXPECT_EQ(got, expected);
}

}  // namespace
}  // namespace sluice::gateway
