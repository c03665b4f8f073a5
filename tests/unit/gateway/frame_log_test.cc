#include "gateway/frame_log.h"

#include <gtest/gtest.h>

#include <string>

#include "gateway/limits.h"
#include "proto/frame.h"
#include "tests/support/frames.h"

namespace sluice::gateway {
namespace {

class FrameLogTest : public testing::Test {
 protected:
  void add(const std::string& text) {
    log.append(pool, {Opcode::kText, {}, proto::as_bytes(text)}, {++sequence, 0});
  }
  std::vector<std::string> between(std::uint32_t from, std::uint32_t to) {
    views.clear();
    log.view(from, to, views);
    return test::payloads(std::span<const RunView>(views));
  }

  RunPool pool;
  FrameLog log;
  std::vector<RunView> views;
  std::uint64_t sequence = 0;
};

TEST_F(FrameLogTest, WhatComesTogetherIsOnePiece) {
  for (const char* text : {"a", "b", "c"}) add(text);
  EXPECT_EQ(between(0, 3), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(views.size(), 1U);
  EXPECT_EQ(between(1, 2), (std::vector<std::string>{"b"}));
  EXPECT_EQ(between(2, 2), std::vector<std::string>{});
  EXPECT_EQ(log.bytes(), 9U);
  EXPECT_EQ(log.stamp(1).sequence, 2U);
}

TEST_F(FrameLogTest, EveryPartOfALogOfManyRunsIsRight) {
  std::vector<std::string> all;
  for (int i = 0; i < 40; ++i) {
    // Runs end at odd places; some frames are larger than a run.
    all.emplace_back(i % 13 == 12 ? kRunLargeBytes + 1 : kRunSmallBytes / 3, char('a' + i % 26));
    add(all.back());
  }
  for (std::uint32_t from = 0; from <= all.size(); ++from) {
    for (std::uint32_t to = from; to <= all.size(); ++to) {
      const auto got = between(from, to);
      ASSERT_EQ(got.size(), to - from);
      EXPECT_TRUE(std::equal(got.begin(), got.end(), all.begin() + from));
    }
  }
}

TEST_F(FrameLogTest, WholeRunsAreLetGoAndTheRestKeepsItsNumbers) {
  std::vector<std::string> all;
  for (int i = 0; i < 30; ++i) {
    all.emplace_back(kRunSmallBytes / 2 - 10, char('a' + i % 26));
    add(all.back());
  }
  std::size_t bytes = log.bytes();
  for (std::uint32_t until = 0; until <= 30; ++until) {
    log.drop_before(pool, until);
    EXPECT_LE(log.first(), until);
    EXPECT_EQ(log.top(), 30U);
    EXPECT_LE(log.bytes(), bytes);
    bytes = log.bytes();
    const auto got = between(until, 30);
    ASSERT_EQ(got.size(), 30 - until);
    EXPECT_TRUE(std::equal(got.begin(), got.end(), all.begin() + until));
  }
  log.clear(pool);
  EXPECT_EQ(log.bytes(), 0U);
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(log.first(), 30U);
}

TEST_F(FrameLogTest, AQuietChannelTakesItsMemoryFromThePoolAgain) {
  add("a");
  views.clear();
  log.view(0, 1, views);
  const FrameRun* run = views[0].run;
  log.clear(pool);
  add("b");
  EXPECT_EQ(between(1, 2), std::vector<std::string>{"b"});
  EXPECT_EQ(views[0].run, run);
}

TEST_F(FrameLogTest, WhatASlowClientHoldsIsNoLargerThanItsFrames) {
  add("hello");
  views.clear();
  log.view(0, 1, views);
  const FrameRef held(views[0].run);
  log.clear(pool);
  EXPECT_EQ(held->capacity(), held->size());
  EXPECT_EQ(proto::as_text(held->bytes()).substr(2), "hello");
  add("next");
  EXPECT_EQ(proto::as_text(held->bytes()).substr(2), "hello");
}

}  // namespace
}  // namespace sluice::gateway
