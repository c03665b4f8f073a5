#include "relay/output_batch.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "relay/limits.h"

namespace sluice::relay {
namespace {

RefPtr<const RingEntry> entry_of(std::string_view payload, std::string_view meta = {}) {
  return RingEntry::make(1, {7, 1}, {}, proto::as_bytes(payload), proto::as_bytes(meta));
}

/// A batch, and beside it what must leave.
struct Written {
  void add(std::string_view payload, std::string_view meta = {}) {
    entries.push_back(entry_of(payload, meta));
    const proto::Message message{.channel_id = 3,
                                 .sequence = entries.size(),
                                 .offset = entries.size(),
                                 .payload = entries.back()->payload(),
                                 .meta = entries.back()->meta()};
    proto::encode(expected, message);
    batch.add_message(proto::encode_message_header(message), *entries.back());
  }
  void add_text(std::string_view text) {
    batch.add_text(text);
    expected.append(text);
  }
  /// Takes at most `bytes`, with at most `pieces_max` pieces; returns what was taken.
  std::string take(std::size_t bytes, std::size_t pieces_max = kBatchPiecesMax) {
    std::array<iovec, kBatchPiecesMax> pieces;
    const std::size_t count = batch.pieces(std::span(pieces).first(pieces_max));
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
      out.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    }
    out.resize(std::min(out.size(), bytes));
    batch.consume(out.size());
    return out;
  }

  OutputBatch batch;
  std::vector<RefPtr<const RingEntry>> entries;
  std::string expected;
};

const std::string kSmall(20, 's');
const std::string kLargestCopied(kCopiedBodyBytesMax, 'c');
const std::string kSmallestShared(kCopiedBodyBytesMax + 1, 'r');

/// Copied and shared bodies in every order, none, meta, and small frames between them.
void fill(Written& w) {
  w.add_text("first");
  w.add(kSmall);
  w.add(kSmallestShared);
  w.add(kSmallestShared);
  w.add("");
  w.add(kLargestCopied);
  w.add_text("between");
  w.add(std::string(kCopiedBodyBytesMax - 3, 'p'), "meta");
  w.add(kSmall, "m");
  w.add(kSmallestShared);
  w.add_text("last");
}

TEST(OutputBatch, SmallBodiesLieInOnePieceLargeOnesStayWhereTheyAre) {
  Written w;
  w.add(kSmall);
  w.add(kLargestCopied);
  w.add(kSmall);
  std::array<iovec, kBatchPiecesMax> pieces;
  EXPECT_EQ(w.batch.pieces(pieces), 1U);
  w.add(kSmallestShared);
  w.add(kSmall);
  ASSERT_EQ(w.batch.pieces(pieces), 3U);
  EXPECT_EQ(pieces[1].iov_base, w.entries[3]->body().data());
  EXPECT_EQ(w.batch.messages(), 5U);
  EXPECT_EQ(w.batch.bytes(), w.expected.size());
  EXPECT_EQ(w.take(SIZE_MAX), w.expected);
  EXPECT_TRUE(w.batch.empty());
  EXPECT_EQ(w.batch.messages(), 0U);
}

TEST(OutputBatch, AtEverySplitOfAPartialWrite) {
  std::size_t bytes = 1;
  for (std::size_t split = 0; split < bytes; ++split) {
    Written w;
    fill(w);
    bytes = w.expected.size();
    std::string out = w.take(split);
    ASSERT_EQ(w.batch.bytes(), bytes - split);
    out += w.take(SIZE_MAX);
    ASSERT_EQ(out, w.expected) << "split at " << split;
    ASSERT_TRUE(w.batch.empty());
  }
}

TEST(OutputBatch, InPiecesOfEverySizeAndWithFewIovecs) {
  for (std::size_t most : {1, 2, 3, 31, 32, 33, 1000, 1024, 1025, 1500}) {
    for (std::size_t pieces_max : {1, 2, 3}) {
      Written w;
      fill(w);
      std::string out;
      while (!w.batch.empty()) out += w.take(most, pieces_max);
      ASSERT_EQ(out, w.expected) << most << " bytes, " << pieces_max << " pieces";
    }
  }
}

TEST(OutputBatch, HoldsSharedBodiesUntilItIsWrittenAndNoOthers) {
  Written w;
  w.add(kSmall);
  w.add(kSmallestShared);
  w.entries.clear();  // the ring lets go of them
  EXPECT_EQ(w.take(40).size(), 40U);
  EXPECT_EQ(w.take(SIZE_MAX), w.expected.substr(40));
}

TEST(OutputBatch, IsFullByCopiedBytesBySharedBodiesAndByBoth) {
  Written copied;
  while (!copied.batch.full()) copied.add(kLargestCopied);
  EXPECT_GE(copied.batch.bytes(), kBatchTextBytesTarget);
  EXPECT_LT(copied.batch.bytes(), kBatchTextBytesTarget + kCopiedBodyBytesMax + 64);

  Written shared;
  while (!shared.batch.full()) shared.add(kSmallestShared);
  EXPECT_EQ(shared.batch.messages(), kBatchSharedBodiesMax);

  Written both;
  const std::string large(kBatchBytesTarget / 4, 'l');
  while (!both.batch.full()) both.add(large);
  EXPECT_EQ(both.batch.messages(), 4U);
}

TEST(OutputBatch, GivesBackTheMemoryThatLongAnswersTook) {
  Written w;
  w.add_text(std::string(8 * kBatchTextBytesTarget, 'a'));
  (void)w.take(1);
  EXPECT_GE(w.batch.text().capacity(), 8 * kBatchTextBytesTarget);
  (void)w.take(SIZE_MAX);
  EXPECT_LE(w.batch.text().capacity(), 2 * kBatchTextBytesTarget);
}

TEST(OutputBatch, IsFilledAgainOnceItIsEmpty) {
  Written w;
  for (int i = 0; i < 3; ++i) {
    w.expected.clear();
    fill(w);
    EXPECT_EQ(w.take(SIZE_MAX), w.expected);
  }
}

}  // namespace
}  // namespace sluice::relay
