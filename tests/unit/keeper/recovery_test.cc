// recover(): every split point of intent and queue, what closes a client, and memory that lies.
#include "keeper/recovery.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "keeper/arena.h"
#include "keeper/parting.h"

namespace sluice::keeper {
namespace {

constexpr std::uint64_t kSentBefore = 129;
constexpr std::uint64_t kReceivedBefore = 412;

/// A server's frame, not masked.
std::string frame(unsigned char opcode, const std::string& payload) {
  std::string bytes(1, static_cast<char>(0x80U | opcode));
  if (payload.size() < 126) {
    bytes += static_cast<char>(payload.size());
  } else if (payload.size() < 65536) {
    bytes += {126, static_cast<char>(payload.size() >> 8U), static_cast<char>(payload.size())};
  } else {
    bytes += static_cast<char>(127);
    for (int shift = 56; shift >= 0; shift -= 8)
      bytes += static_cast<char>(payload.size() >> static_cast<unsigned>(shift));
  }
  return bytes + payload;
}

/// State memory as a gateway writes it.
class World {
 public:
  ArenaUnit run(const std::string& frames) {
    const ArenaUnit block = arena.allocate(frames.size());
    std::memcpy(arena.data(block), frames.data(), frames.size());
    arena.header(block).used = static_cast<std::uint32_t>(frames.size());
    return block;
  }
  void intent(const std::vector<View>& parts) {
    out().intent_first = 3;
    out().intent_count = static_cast<std::uint32_t>(parts.size());
    out().intent_bytes = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      views[3 + i] = parts[i];
      out().intent_bytes += parts[i].end - parts[i].begin;
    }
  }
  /// The first part's begin and the last part's end stand in the record, not in the block.
  void queue(std::vector<View> parts) {
    constexpr std::uint32_t kHead = 2;
    out().queue = arena.allocate((kHead + parts.size()) * sizeof(View));
    out().queue_head = kHead;
    out().queue_count = static_cast<std::uint32_t>(parts.size());
    out().queue_head_begin = parts.front().begin;
    out().queue_tail_end = parts.back().end;
    parts.front().begin = 0xffffffff;
    parts.back().end = 0;
    std::memcpy(arena.data(out().queue) + kHead * sizeof(View), parts.data(),
                parts.size() * sizeof(View));
  }
  OutRecord& out() { return slot.out[slot.out_now]; }
  InRecord& in() { return slot.in[slot.in_now]; }

  [[nodiscard]] Counters counters(std::uint64_t left) const {
    const OutRecord& record = slot.out[slot.out_now];
    return {kSentBefore + record.written + left, kReceivedBefore + slot.in[slot.in_now].read};
  }
  [[nodiscard]] Recovery recovered(std::optional<Counters> counters, bool quiescent = false) const {
    return recover(slot, views, memory, quiescent, counters);
  }
  [[nodiscard]] std::string bytes(const std::vector<View>& parts) const {
    std::string all;
    for (const View& part : parts) {
      EXPECT_LT(part.begin, part.end);
      all.append(reinterpret_cast<const char*>(arena.data(part.run)) + part.begin,
                 part.end - part.begin);
    }
    return all;
  }

  World() {
    slot.phase = static_cast<std::uint32_t>(SlotPhase::kOpen);
    slot.generation = 7;
    slot.sent_before = kSentBefore;
    slot.received_before = kReceivedBefore;
    slot.has_counters = 1;
    slot.out_now = 1;
    slot.in_now = 1;
    out().written = 5000;
    out().last_sequence = 77;
    out().link_generation = 3;
    in().read = 900;
  }

  std::vector<std::byte> memory = std::vector<std::byte>(256 * 1024);
  Arena arena{memory};
  std::vector<View> views = std::vector<View>(16);
  Slot slot;
};

/// Two runs in the intent, a third run, half sent, and one of the first in the queue.
struct Busy : World {
  std::string whole;
  std::uint32_t intent_bytes = 0;
  Busy() {
    const std::string a = frame(1, "first") + frame(1, "second");
    const std::string b = frame(2, std::string(300, 'b'));
    const std::string c = frame(1, "third");
    const ArenaUnit run_a = run(a);
    const ArenaUnit run_b = run(b);
    const ArenaUnit run_c = run(c);
    const auto size = [](const std::string& text) {
      return static_cast<std::uint32_t>(text.size());
    };
    intent({{run_a, 3, size(a)}, {run_b, 0, size(b)}});
    queue({{run_c, 2, size(c)}, {run_a, 0, size(a)}, {run_b, 0, 40}});
    whole = a.substr(3) + b + c.substr(2) + a + b.substr(0, 40);
    intent_bytes = out().intent_bytes;
  }
};

TEST(Recovery, EverySplitPoint) {
  const Busy world;
  for (std::size_t left = 0; left <= world.whole.size(); ++left) {
    const Recovery r = world.recovered(world.counters(left));
    ASSERT_TRUE(r.goes_on()) << left << ": " << to_string(r.reason);
    ASSERT_TRUE(r.out_known);
    ASSERT_EQ(r.written, 5000 + left);
    ASSERT_EQ(world.bytes(r.pending), world.whole.substr(left));
    ASSERT_EQ(r.last_sequence, 77U);
    ASSERT_EQ(r.link_generation, 3U);
    ASSERT_EQ(r.read, 900U);
  }
}

TEST(Recovery, OutsideOfTheRecordCloses) {
  const Busy world;
  const auto sent = [&](std::uint64_t all) {
    return world.recovered(Counters{all, world.counters(0).received});
  };
  for (const std::uint64_t all :
       {kSentBefore + 5000 + world.whole.size() + 1, kSentBefore + 5000 - 1, kSentBefore - 1,
        std::uint64_t{0}, UINT64_MAX}) {
    const Recovery r = sent(all);
    EXPECT_EQ(r.reason, CloseReason::kSentOutside) << all;
    EXPECT_FALSE(r.out_known);
    EXPECT_TRUE(r.pending.empty());
  }
}

TEST(Recovery, ReadThatNoRecordKnowsClosesBehindTheFrame) {
  const Busy world;
  for (const std::int64_t by : {-1, 1, -901}) {
    Counters counters = world.counters(10);
    counters.received += static_cast<std::uint64_t>(by);
    const Recovery r = world.recovered(counters);
    EXPECT_EQ(r.reason, CloseReason::kReadOutside);
    ASSERT_TRUE(r.out_known);
    EXPECT_EQ(world.bytes(r.pending), world.whole.substr(10));
  }
}

/// All of it gone: the views may be anybody's by now, and are not looked at.
TEST(Recovery, ViewsOfAnIntentThatHasLeftAreStale) {
  Busy world;
  const std::string queued = world.whole.substr(world.intent_bytes);
  for (View& view : world.views) view = {0xfffffff0, 9, 3};
  EXPECT_EQ(world.recovered(world.counters(world.intent_bytes - 1)).reason,
            CloseReason::kBrokenRecord);
  const Recovery gone = world.recovered(world.counters(world.intent_bytes));
  ASSERT_TRUE(gone.goes_on());
  EXPECT_EQ(world.bytes(gone.pending), queued);
  world.out().intent_first = 0xffffffff;
  EXPECT_TRUE(world.recovered(world.counters(world.intent_bytes + 1)).goes_on());
}

TEST(Recovery, WithoutCounters) {
  Busy world;
  EXPECT_EQ(world.recovered(std::nullopt).reason, CloseReason::kNoCounters);  // TCP, and gone
  world.slot.has_counters = 0;
  EXPECT_EQ(world.recovered(std::nullopt).reason, CloseReason::kNoCounters);
  // Counters of something else prove nothing.
  EXPECT_EQ(world.recovered(world.counters(0)).reason, CloseReason::kNoCounters);
  world.out().intent_bytes = 0;
  const Recovery r = world.recovered(std::nullopt);
  ASSERT_TRUE(r.goes_on());
  EXPECT_EQ(r.written, 5000U);
  EXPECT_EQ(r.pending.size(), 3U);
}

TEST(Recovery, TcpWithoutCountersClosesThoughNothingIsUnderWay) {
  const World world;
  EXPECT_EQ(world.recovered(std::nullopt).reason, CloseReason::kNoCounters);
}

TEST(Recovery, QuiescentNeedsNoCounters) {
  Busy world;
  for (const std::uint32_t has : {0U, 1U}) {
    world.slot.has_counters = has;
    const Recovery r = world.recovered(std::nullopt, true);
    ASSERT_TRUE(r.goes_on());
    EXPECT_EQ(r.written, 5000 + world.intent_bytes);
    EXPECT_EQ(world.bytes(r.pending), world.whole.substr(world.intent_bytes));
  }
}

TEST(Recovery, UnrecoverableSaysNothingOfItsStream) {
  Busy world;
  world.out().flags = kUnrecoverable;
  const Recovery r = world.recovered(world.counters(0));
  EXPECT_EQ(r.reason, CloseReason::kUnrecoverable);
  EXPECT_FALSE(r.out_known);
}

TEST(Recovery, PiecesOfTheInboundSide) {
  World world;
  world.in().message = world.arena.allocate(100);
  world.in().message_bytes = 90;
  world.in().scanner = world.arena.allocate(40);
  world.in().scanner_bytes = 40;
  const ArenaUnit session = world.arena.allocate(200);
  world.slot.session = std::uint64_t{session} << 32U | 150U;
  const Recovery r = world.recovered(world.counters(0));
  ASSERT_TRUE(r.goes_on());
  EXPECT_EQ(r.message.block, world.in().message);
  EXPECT_EQ(r.message.bytes, 90U);
  EXPECT_EQ(r.scanner.block, world.in().scanner);
  EXPECT_EQ(r.scanner.bytes, 40U);
  EXPECT_EQ(r.session.block, session);
  EXPECT_EQ(r.session.bytes, 150U);
  world.in().message_bytes = 100'000;
  const Recovery broken = world.recovered(world.counters(0));
  EXPECT_EQ(broken.reason, CloseReason::kBrokenRecord);
  EXPECT_TRUE(broken.out_known);
}

TEST(Recovery, BrokenRecords) {
  const auto reason = [](auto spoil) {
    Busy world;
    const Counters counters = world.counters(0);
    spoil(world);
    return world.recovered(counters).reason;
  };
  EXPECT_EQ(reason([](World&) {}), CloseReason::kNone);
  EXPECT_EQ(reason([](World& w) { w.slot.phase = 0; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.slot.phase = 2; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.slot.out_now = 2; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.slot.in_now = 2; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.out().intent_bytes += 1; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.out().intent_first = 15; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.out().intent_count = 0xffffffff; }),
            CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.views[3].run = 0; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.views[3].end = 0; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.views[4].end += 1; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.out().queue = 0; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.out().queue = 0xffffffff; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.out().queue_head = 0xffffffff; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.out().queue_count = 0xffffffff; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.out().queue_head_begin = 9999; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.out().queue_tail_end = 9999; }), CloseReason::kBrokenRecord);
  EXPECT_EQ(reason([](World& w) { w.slot.session = 1ULL << 63U; }), CloseReason::kBrokenRecord);
}

/// Whatever the bytes are, nothing outside is read (ASan sees that) and what is given back is
/// inside.
TEST(Recovery, RandomMemory) {
  std::mt19937_64 random(20'240'601);
  int went_on = 0;
  for (int round = 0; round < 20'000; ++round) {
    Busy world;
    std::optional<Counters> counters = world.counters(random() % (world.whole.size() + 2));
    if (random() % 8 == 0) counters.reset();
    const bool in_slot = random() % 2 == 0;
    auto* target = in_slot ? reinterpret_cast<std::byte*>(&world.slot) : world.memory.data();
    const std::size_t range = in_slot ? sizeof world.slot : 2048;
    for (std::size_t i = random() % 6; i > 0; --i) {
      std::uint32_t value = static_cast<std::uint32_t>(random());
      if (random() % 2 == 0) value %= 300;
      std::memcpy(target + random() % (range / 4) * 4, &value, sizeof value);
    }
    const Recovery r = world.recovered(counters, random() % 4 == 0);
    for (const View& view : r.pending) {
      ASSERT_TRUE(Arena::valid(world.memory, view.run));
      ASSERT_LT(view.begin, view.end);
      ASSERT_LE(view.end, Arena::data_of(world.memory, view.run).size());
    }
    const Parting parting = parting_of(r, world.memory);
    ASSERT_TRUE(parting.rest.empty() || (parting.rest.data() >= world.memory.data() &&
                                         parting.rest.data() + parting.rest.size() <=
                                             world.memory.data() + world.memory.size()));
    went_on += r.goes_on() ? 1 : 0;
  }
  // Neither all nor none: the loop tries something.
  EXPECT_GT(went_on, 1000);
  EXPECT_LT(went_on, 19'000);
}

TEST(Recovery, MemoryOfNothingButNoise) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::byte> arena(64 * (1 + random() % 40));
    std::vector<View> views(random() % 8);
    Slot slot;
    const auto fill = [&random](void* at, std::size_t size) {
      for (std::size_t i = 0; i + 4 <= size; i += 4) {
        std::uint32_t value = static_cast<std::uint32_t>(random());
        if (random() % 4 != 0) value %= 64;
        std::memcpy(static_cast<std::byte*>(at) + i, &value, 4);
      }
    };
    fill(arena.data(), arena.size());
    fill(views.data(), views.size() * sizeof(View));
    fill(&slot, sizeof slot);
    slot.phase = 1;
    slot.out_now &= 1U;
    slot.in_now &= 1U;
    const OutRecord& out = slot.out[slot.out_now];
    const Recovery r = recover(slot, views, arena, random() % 2 == 0,
                               Counters{slot.sent_before + out.written, random() % 64});
    (void)parting_of(r, arena);
  }
}

TEST(FrameEnd, EveryPositionOfEveryLength) {
  std::string run;
  std::vector<std::uint32_t> ends{0};
  for (const std::size_t size : {0U, 1U, 125U, 126U, 300U, 65535U, 65536U, 70000U}) {
    run += frame(2, std::string(size, 'x'));
    ends.push_back(static_cast<std::uint32_t>(run.size()));
  }
  const auto bytes = std::as_bytes(std::span(run));
  const auto used = static_cast<std::uint32_t>(run.size());
  std::size_t next = 0;
  for (std::uint32_t at = 0; at <= used; ++at) {
    if (at > ends[next]) ++next;
    // Walking from the beginning each time: the long payloads are looked at here and there.
    if (at > 1000 && at % 501 != 0 && at + 20 < ends[next] && at > ends[next - 1] + 20) continue;
    ASSERT_EQ(frame_end(bytes, used, at), ends[next]) << at;
  }
}

TEST(FrameEnd, WhatIsNoRunOfFrames) {
  const std::string run = frame(1, "hello") + frame(1, "you");
  const auto bytes = std::as_bytes(std::span(run));
  const auto used = static_cast<std::uint32_t>(run.size());
  EXPECT_FALSE(frame_end(bytes, used, used + 1));
  EXPECT_FALSE(frame_end(bytes, used + 1, 3));
  EXPECT_FALSE(frame_end(bytes, used - 1, 9));
  EXPECT_FALSE(frame_end(bytes, 8, 8));
  std::string masked = run;
  masked[1] = static_cast<char>(masked[1] | 0x80);
  EXPECT_FALSE(frame_end(std::as_bytes(std::span(masked)), used, 1));
  const std::string endless = "\x82\x7f" + std::string(8, '\xff') + "x";
  EXPECT_FALSE(frame_end(std::as_bytes(std::span(endless)), 11, 5));
}

const std::string kRestart = std::string("\x88\x11\x03\xf4", 4) + "service restart";

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Parting, FinishesTheFrameAndCloses) {
  World world;
  const std::string a = frame(1, "first");
  const std::string frames = a + frame(1, "second");
  world.intent({{world.run(frames), 0, static_cast<std::uint32_t>(frames.size())}});
  for (std::size_t left = 0; left <= frames.size(); ++left) {
    const Parting parting = parting_of(world.recovered(world.counters(left)), world.memory);
    ASSERT_TRUE(parting.can_speak);
    const std::size_t end = left == 0 ? 0 : left <= a.size() ? a.size() : frames.size();
    EXPECT_EQ(text(parting.rest), frames.substr(left, end - left)) << left;
    EXPECT_EQ(text(parting.close), kRestart);
  }
}

TEST(Parting, OneCloseFrameAtMost) {
  World world;
  const std::string a = frame(1, "first");
  const std::string close = frame(8, "\x03\xe9");
  const std::string frames = a + close;
  world.intent({{world.run(frames), 0, static_cast<std::uint32_t>(frames.size())}});
  world.out().flags = kCloseQueued;
  for (std::size_t left = 0; left <= frames.size(); ++left) {
    const Parting parting = parting_of(world.recovered(world.counters(left)), world.memory);
    ASSERT_TRUE(parting.can_speak);
    const bool begun = left > a.size();
    EXPECT_EQ(text(parting.close), begun ? "" : kRestart) << left;
    if (begun) {
      EXPECT_EQ(text(parting.rest), frames.substr(left));
    }
  }
}

TEST(Parting, NothingIsSaidWhereTheStreamIsNotKnown) {
  const Busy world;
  const Parting parting =
      parting_of(world.recovered(world.counters(world.whole.size() + 1)), world.memory);
  EXPECT_FALSE(parting.can_speak);
  EXPECT_TRUE(parting.rest.empty());
  EXPECT_TRUE(parting.close.empty());
}

}  // namespace
}  // namespace sluice::keeper
