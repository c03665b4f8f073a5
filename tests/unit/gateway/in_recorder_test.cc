#include "gateway/handoff/in_recorder.h"

#include <gtest/gtest.h>

#include <vector>

#include "gateway/handoff/scanner_image.h"
#include "gateway/session_input.h"
#include "tests/unit/gateway/cut_streams.h"

namespace sluice::gateway {
namespace {

using test::client_frame;

class InRecorderTest : public ::testing::Test {
 protected:
  /// One read: scanned, its messages put together, recorded.
  void read(const std::string& bytes) {
    session_.read += bytes.size();
    kept_ += test::scan(session_.state.scanner, bytes, events_);
    const auto stream = test::read_data_stream(kept_);
    InboundMessage& inbound = session_.state.inbound;
    if (stream.messages.size() > messages_) {
      messages_ = stream.messages.size();
      inbound.open = false;
      release_message(inbound);
    }
    if (stream.in_message && stream.half.bytes.size() > inbound.bytes.size()) {
      const std::string more = stream.half.bytes.substr(inbound.bytes.size());
      static_cast<void>(
          add_fragment(inbound, {proto::as_bytes(more), !inbound.open, false, stream.half.text}));
    }
    recorder_.worked_off(slot_, session_);
  }
  [[nodiscard]] const keeper::InRecord& now() const { return slot_.in[slot_.in_now]; }
  [[nodiscard]] std::optional<RestoredInput> restore() const {
    return InRecorder::restore(now(), memory_);
  }

  alignas(keeper::kArenaUnit) std::array<std::byte, 1U << 18U> memory_{};
  keeper::Arena arena_{memory_};
  InRecorder recorder_{arena_};
  keeper::Slot slot_;
  ClientSession session_;
  test::ScanEventList events_;
  std::string kept_;
  std::size_t messages_ = 0;
};

TEST_F(InRecorderTest, BetweenMessagesThereIsOnlyANumber) {
  read(client_frame(0x81, "whole"));
  EXPECT_EQ(now().read, 11U);
  EXPECT_EQ(now().scanner, 0U);
  EXPECT_EQ(now().message, 0U);
  EXPECT_EQ(arena_.used_bytes(), 0U);
  const auto restored = restore();
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->read, 11U);
  EXPECT_FALSE(restored->inbound.open);
}

TEST_F(InRecorderTest, WhileAReadIsWorkedOffNobodyCanGoOn) {
  const std::string frame = client_frame(0x81, "in halves");
  for (const std::string& bytes : {frame.substr(0, 9), frame.substr(9)}) {
    InRecorder::reading(slot_);
    EXPECT_FALSE(restore());
    read(bytes);
    EXPECT_TRUE(restore());
  }
  EXPECT_EQ(arena_.used_bytes(), 0U);
}

TEST_F(InRecorderTest, EveryCutIsRestored) {
  for (const test::CutStream& stream : test::cut_streams()) {
    std::string so_far;
    const std::uint64_t before = session_.read;
    for (const char byte : stream.bytes) {
      read(std::string(1, byte));
      so_far.push_back(byte);
      SCOPED_TRACE(std::string(stream.name) + " cut at " + std::to_string(so_far.size()));
      const auto restored = restore();
      ASSERT_TRUE(restored);
      EXPECT_EQ(restored->read, before + so_far.size());
      EXPECT_EQ(restored->inbound.bytes, session_.state.inbound.bytes);
      EXPECT_EQ(ScannerImage::encode(restored->scanner),
                ScannerImage::encode(session_.state.scanner));
      const bool other = restored->inbound.text != session_.state.inbound.text;
      EXPECT_FALSE(restored->inbound.open && other);
    }
    EXPECT_EQ(arena_.used_bytes(), 0U) << stream.name;
  }
}

TEST_F(InRecorderTest, AMessageGrowsInPlace) {
  const std::string stream = client_frame(0x82, std::string(4000, 'x'));
  read(stream.substr(0, 100));
  std::size_t moves = 0;
  keeper::ArenaUnit block = now().message;
  for (std::size_t at = 100; at < 4000; ++at) {
    read(stream.substr(at, 1));
    moves += now().message != block ? 1 : 0;
    block = now().message;
    ASSERT_TRUE(restore());
  }
  EXPECT_LE(moves, 7U);  // each time twice the room
  EXPECT_LT(arena_.used_bytes(), 8000U);
  read(stream.substr(4000));
  EXPECT_EQ(arena_.used_bytes(), 0U);
}

TEST_F(InRecorderTest, TheNextMessageDoesNotStandBehindTheLast) {
  read(client_frame(0x02, "first half "));
  const keeper::ArenaUnit old = now().message;
  // Ends and begins within one read: of the old block nothing counts.
  read(client_frame(0x80, "rest") + client_frame(0x02, "another half, longer than the first"));
  const auto restored = restore();
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->inbound.bytes, "another half, longer than the first");
  // Nor in its place, where it would have stood before the record said so.
  const auto data = keeper::Arena::data_of(memory_, old);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(data.data()), 11), "first half ");
}

TEST_F(InRecorderTest, TheOtherCopyIsNotTouchedBeforeTheFlip) {
  read(client_frame(0x02, "first"));
  const keeper::InRecord counted = now();
  read(client_frame(0x00, "second"));
  // Killed just before the flip, the first would count; its bytes still stand there.
  EXPECT_EQ(slot_.in[slot_.in_now ^ 1U].message, counted.message);
  const auto data = keeper::Arena::data_of(memory_, counted.message);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(data.data()), 5), "first");
}

TEST_F(InRecorderTest, WithoutRoomTheClientCantBeTakenOver) {
  std::vector<keeper::ArenaUnit> all;
  while (const keeper::ArenaUnit block = arena_.allocate(1)) all.push_back(block);
  read(client_frame(0x02, "half"));
  EXPECT_EQ(now().read, 10U);
  EXPECT_EQ(now().scanner_bytes, kStreamUnrecorded);
  EXPECT_FALSE(restore());
  EXPECT_EQ(recorder_.unrecorded(), 1U);
  // Room for the message, none for the scanner: nothing is kept.
  arena_.free(all.back());
  const std::size_t used = arena_.used_bytes();
  read(client_frame(0x00, "more"));
  EXPECT_FALSE(restore());
  EXPECT_EQ(arena_.used_bytes(), used);
  // And again, as soon as there is some.
  for (std::size_t i = 0; i < 10; ++i) arena_.free(all[i]);
  read(client_frame(0x00, "and more"));
  const auto restored = restore();
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->inbound.bytes, "halfmoreand more");
}

TEST_F(InRecorderTest, ForgetsItsBlocks) {
  read(client_frame(0x02, "half"));
  EXPECT_GT(arena_.used_bytes(), 0U);
  recorder_.forget(slot_);
  EXPECT_EQ(arena_.used_bytes(), 0U);
}

TEST_F(InRecorderTest, RefusesRecordsThatCantBe) {
  read(client_frame(0x02, "half"));
  const keeper::InRecord good = now();
  const auto refused = [&](auto change) {
    keeper::InRecord bad = good;
    change(bad);
    return !InRecorder::restore(bad, memory_);
  };
  ASSERT_FALSE(refused([](auto&) {}));
  EXPECT_TRUE(refused([](auto& r) { r.scanner = UINT32_MAX; }));
  EXPECT_TRUE(refused([](auto& r) { r.scanner_bytes = UINT32_MAX; }));
  EXPECT_TRUE(refused([](auto& r) { r.scanner_bytes = 1; }));
  EXPECT_TRUE(refused([](auto& r) { r.scanner = 0; }));
  EXPECT_TRUE(refused([](auto& r) { r.scanner = r.scanner_bytes = 0; }));
  EXPECT_TRUE(refused([](auto& r) { r.message = 4095; }));
  EXPECT_TRUE(refused([](auto& r) { r.message = 0; }));
  EXPECT_TRUE(refused([](auto& r) { r.message_bytes = 0; }));
  EXPECT_TRUE(refused([](auto& r) { r.message_bytes = 5; }));  // more than ever came
  EXPECT_TRUE(refused([](auto& r) { r.message_bytes = UINT32_MAX; }));
  EXPECT_TRUE(refused([](auto& r) { std::swap(r.message, r.scanner); }));
}

}  // namespace
}  // namespace sluice::gateway
