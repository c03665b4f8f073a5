// What each client's byte stream must be in the end, and a reader of the records in the state
// memory that follows keeper/shared_state.h and nothing else. A fault is something that a successor
// would get wrong if the process ended at this instruction. The judge allocates nothing: it runs in
// the handler of a trap as well (single_step.h).
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "common/check.h"
#include "gateway/frame_run.h"
#include "keeper/arena.h"
#include "keeper/shared_memory.h"

namespace sluice::gateway::test {

/// A link sequence and its generation as one number that grows.
[[nodiscard]] inline std::uint64_t link_time(std::uint32_t generation, std::uint64_t sequence) {
  return std::uint64_t{generation} << 40U | sequence;
}

struct ModelFrame {
  std::size_t end = 0;          ///< in the stream
  std::uint64_t due_at = 0;     ///< link time; 0: this client's own
  std::uint64_t due_until = 0;  ///< highest so far
  bool durable = false;         ///< must not be lost: it was to be recorded by now
};

struct ModelClient {
  static constexpr std::size_t kStreamBytesMax = std::size_t{16} << 20U;
  static constexpr std::size_t kFramesMax = 100'000;

  ModelClient() {
    stream.reserve(kStreamBytesMax);
    frames.reserve(kFramesMax);
  }
  void add(std::string_view frame, std::uint64_t due_at) {
    CHECK(stream.size() + frame.size() <= kStreamBytesMax && frames.size() < kFramesMax);
    stream += frame;
    const std::uint64_t before = frames.empty() ? 0 : frames.back().due_until;
    frames.push_back({stream.size(), due_at, std::max(before, due_at), false});
  }
  void all_durable() {
    for (std::size_t i = frames.size(); i > 0 && !frames[i - 1].durable; --i)
      frames[i - 1].durable = true;
  }

  std::string stream;  ///< frames placed, in order; its memory never moves
  std::vector<ModelFrame> frames;
  volatile std::size_t sent = 0;   ///< bytes that the kernel has
  std::vector<std::uint64_t> due;  ///< link times of all that its channels brought
  std::size_t placed = 0;          ///< of these, so many are in the stream
  bool has_counters = true;
};

/// What a successor finds for one client.
struct Found {
  const char* fault = nullptr;  ///< it would send something wrong
  bool closes = false;          ///< it can't go on with the client, and knows
  std::size_t until = 0;        ///< the stream up to here has left or is at hand
  std::uint64_t has_until = 0;  ///< link time up to which nothing is due any more
};

class RecordReader {
 public:
  explicit RecordReader(const keeper::SharedState& state) : state_(state) {}

  /// Calls `pending(view)` for what is still to be sent. `sent`: what the counters say.
  template <typename Pending>
  [[nodiscard]] Found read(std::uint32_t index, const ModelClient& client,
                           const Pending& pending) const {
    const keeper::Slot& slot = state_.slots()[index];
    const keeper::OutRecord& record = slot.out[slot.out_now];
    const keeper::LinkRecord& link = state_.header().link[state_.header().link_now];
    const std::size_t sent = client.sent;
    Found found{.has_until = std::max(link_time(record.link_generation, record.last_sequence),
                                      link_time(link.generation, link.settled_sequence))};
    if (record.written > sent) return fault("more is recorded than has left");
    if ((record.flags & keeper::kUnrecoverable) != 0) return closes();
    const bool has_left = sent - record.written >= record.intent_bytes;
    if (!client.has_counters && record.intent_bytes > 0) return closes();
    if (!client.has_counters && record.written != sent) return fault("not where it says");
    std::size_t at = record.written;
    const auto part = [&](keeper::View view) -> const char* {
      if (view.begin >= view.end) return "an empty view";
      if (!keeper::Arena::valid(state_.arena(), view.run)) return "no run";
      const auto run = keeper::Arena::data_of(state_.arena(), view.run);
      if (view.end > used(view.run)) return "beyond the frames of the run";
      const std::size_t gone =
          std::min<std::size_t>(at < sent ? sent - at : 0, view.end - view.begin);
      at += gone;
      view.begin += static_cast<std::uint32_t>(gone);
      const std::size_t size = view.end - view.begin;
      if (at + size > client.stream.size()) return "more than there ever was";
      if (std::memcmp(run.data() + view.begin, client.stream.data() + at, size) != 0)
        return "other bytes";
      at += size;
      if (size > 0) pending(view);
      return nullptr;
    };
    if (record.intent_bytes > 0 && has_left) {
      at += record.intent_bytes;
    } else {
      for (std::uint32_t i = 0; i < record.intent_count; ++i)
        if (const char* bad = part(state_.views()[record.intent_first + i])) return fault(bad);
      if (record.intent_count > 0 && at != record.written + record.intent_bytes)
        return fault("an intent of another length");
    }
    for (std::uint32_t i = 0; i < record.queue_count; ++i) {
      keeper::View view = queued(record.queue, record.queue_head + i);
      if (i == 0) view.begin = record.queue_head_begin;
      if (i + 1 == record.queue_count) view.end = record.queue_tail_end;
      if (const char* bad = part(view)) return fault(bad);
    }
    if (at < sent) return fault("more has left than is recorded");
    found.until = at;
    return found;
  }

  /// Null: whatever the instruction before this was, a successor would go on rightly.
  [[nodiscard]] const char* judge(std::uint32_t index, const ModelClient& client,
                                  bool may_close) const {
    const keeper::Slot& slot = state_.slots()[index];
    if (slot.phase != static_cast<std::uint32_t>(keeper::SlotPhase::kOpen)) return nullptr;
    const Found found = read(index, client, [](const keeper::View&) {});
    if (found.fault != nullptr) return found.fault;
    if (found.closes) return may_close ? nullptr : "closed, and could go on";
    const std::size_t known = frames_until(client, found.until);
    if (known == kNone) return "the middle of a frame";
    if (known > 0 && client.frames[known - 1].due_until > found.has_until) return "twice";
    for (std::size_t i = known; i < client.frames.size(); ++i) {
      const ModelFrame& frame = client.frames[i];
      if (frame.due_at == 0 ? frame.durable : frame.due_at <= found.has_until) return "lost";
    }
    if (client.placed < client.due.size() && client.due[client.placed] <= found.has_until)
      return "lost before it was placed";
    return nullptr;
  }

  static constexpr std::size_t kNone = ~std::size_t{0};
  /// Frames that end up to there; kNone: it is in the middle of one.
  [[nodiscard]] static std::size_t frames_until(const ModelClient& client, std::size_t at) {
    if (at == 0) return 0;
    const auto frame =
        std::lower_bound(client.frames.begin(), client.frames.end(), at,
                         [](const ModelFrame& a, std::size_t end) { return a.end < end; });
    if (frame == client.frames.end() || frame->end != at) return kNone;
    return static_cast<std::size_t>(frame - client.frames.begin()) + 1;
  }

 private:
  [[nodiscard]] static Found fault(const char* what) { return {.fault = what}; }
  [[nodiscard]] static Found closes() { return {.closes = true}; }
  [[nodiscard]] std::uint32_t used(keeper::ArenaUnit run) const {
    keeper::BlockHeader header;
    std::memcpy(&header, state_.arena().data() + run * keeper::kArenaUnit, sizeof header);
    return header.used;
  }
  [[nodiscard]] keeper::View queued(keeper::ArenaUnit block, std::uint32_t i) const {
    keeper::View view;
    if (!keeper::Arena::valid(state_.arena(), block)) return view;
    const auto array = keeper::Arena::data_of(state_.arena(), block);
    if ((std::size_t{i} + 1) * sizeof view > array.size()) return view;
    std::memcpy(&view, array.data() + i * sizeof view, sizeof view);
    return view;
  }

  const keeper::SharedState& state_;
};

}  // namespace sluice::gateway::test
