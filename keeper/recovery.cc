#include "keeper/recovery.h"

#include <algorithm>
#include <cstring>

#include "keeper/arena.h"

namespace sluice::keeper {
namespace {

/// The state memory's regions, read with bounds.
class Memory {
 public:
  Memory(std::span<const View> views, std::span<const std::byte> arena)
      : views_(views), arena_(arena) {}

  [[nodiscard]] std::optional<std::span<const std::byte>> block(ArenaUnit unit) const {
    if (!Arena::valid(arena_, unit)) return std::nullopt;
    return Arena::data_of(arena_, unit);
  }

  [[nodiscard]] bool inside(const View& view) const {
    return view.begin <= view.end && Arena::valid(arena_, view.run) && view.end <= used(view.run);
  }

  [[nodiscard]] bool holds(const Piece& piece) const {
    if (piece.block == 0) return true;
    const auto data = block(piece.block);
    return data && piece.bytes <= data->size();
  }

  [[nodiscard]] std::optional<std::vector<View>> intent(const OutRecord& out) const {
    if (out.intent_first > views_.size() || out.intent_count > views_.size() - out.intent_first)
      return std::nullopt;
    const auto stood = views_.subspan(out.intent_first, out.intent_count);
    return judged({stood.begin(), stood.end()});
  }

  [[nodiscard]] std::optional<std::vector<View>> queue(const OutRecord& out) const {
    if (out.queue_count == 0) return std::vector<View>{};
    const auto data = block(out.queue);
    if (!data) return std::nullopt;
    const std::size_t room = data->size() / sizeof(View);
    if (out.queue_head > room || out.queue_count > room - out.queue_head) return std::nullopt;
    std::vector<View> parts(out.queue_count);
    std::memcpy(parts.data(), data->data() + out.queue_head * sizeof(View),
                parts.size() * sizeof(View));
    parts.front().begin = out.queue_head_begin;
    parts.back().end = out.queue_tail_end;
    return judged(std::move(parts));
  }

 private:
  [[nodiscard]] std::uint32_t used(ArenaUnit unit) const {
    BlockHeader header;
    std::memcpy(&header, arena_.data() + unit * kArenaUnit, sizeof header);
    return header.used;
  }

  [[nodiscard]] std::optional<std::vector<View>> judged(std::vector<View> parts) const {
    const auto good = [this](const View& view) { return inside(view); };
    if (!std::all_of(parts.begin(), parts.end(), good)) return std::nullopt;
    return parts;
  }

  std::span<const View> views_;
  std::span<const std::byte> arena_;
};

[[nodiscard]] std::uint64_t bytes_of(const std::vector<View>& parts) {
  std::uint64_t bytes = 0;
  for (const View& part : parts) bytes += part.end - part.begin;
  return bytes;
}

/// Takes what has left away from the front.
[[nodiscard]] std::vector<View> less(const std::vector<View>& parts, std::uint64_t gone) {
  std::vector<View> rest;
  for (View part : parts) {
    const auto step =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(gone, part.end - part.begin));
    part.begin += step;
    gone -= step;
    if (part.begin < part.end) rest.push_back(part);
  }
  return rest;
}

/// How many bytes behind `written` have left; or why that can't be known.
struct Left {
  std::uint64_t bytes = 0;
  CloseReason fault = CloseReason::kNone;
};

[[nodiscard]] Left left_of(const Slot& slot, const OutRecord& out, bool quiescent,
                           const std::optional<Counters>& counters) {
  if (slot.has_counters != 0 && counters) {
    if (counters->sent < slot.sent_before || counters->sent - slot.sent_before < out.written)
      return {.fault = CloseReason::kSentOutside};
    return {.bytes = counters->sent - slot.sent_before - out.written};
  }
  // Who has stopped for good has let only those intents stand that have left as a whole.
  if (quiescent) return {.bytes = out.intent_bytes};
  if (slot.has_counters != 0 || out.intent_bytes > 0) return {.fault = CloseReason::kNoCounters};
  return {};
}

/// The out stream; sets `reason` when it can't be known.
void recover_out(const Memory& memory, const OutRecord& out, const Left& left, Recovery& r) {
  const auto close = [&r](CloseReason why) { r.reason = why; };
  if (left.fault != CloseReason::kNone) return close(left.fault);
  const auto queue = memory.queue(out);
  if (!queue) return close(CloseReason::kBrokenRecord);
  const std::uint64_t queue_bytes = bytes_of(*queue);
  if (left.bytes > out.intent_bytes && left.bytes - out.intent_bytes > queue_bytes)
    return close(CloseReason::kSentOutside);
  // The views of an intent that has left as a whole are stale.
  if (left.bytes < out.intent_bytes) {
    const auto intent = memory.intent(out);
    if (!intent || bytes_of(*intent) != out.intent_bytes) return close(CloseReason::kBrokenRecord);
    r.pending = less(*intent, left.bytes);
    const std::vector<View> behind = less(*queue, 0);
    r.pending.insert(r.pending.end(), behind.begin(), behind.end());
  } else {
    r.pending = less(*queue, left.bytes - out.intent_bytes);
  }
  r.written = out.written + left.bytes;
  r.out_known = true;
}

/// The in stream; sets `reason` unless there is one already.
void recover_in(const Memory& memory, const Slot& slot, const InRecord& in,
                const std::optional<Counters>& counters, Recovery& r) {
  r.read = in.read;
  r.message = {in.message, in.message == 0 ? 0 : in.message_bytes};
  r.scanner = {in.scanner, in.scanner == 0 ? 0 : in.scanner_bytes};
  r.session = {static_cast<ArenaUnit>(slot.session >> 32U),
               static_cast<std::uint32_t>(slot.session)};
  if (r.session.block == 0) r.session.bytes = 0;
  if (!r.goes_on()) return;
  if (!memory.holds(r.message) || !memory.holds(r.scanner) || !memory.holds(r.session)) {
    r.reason = CloseReason::kBrokenRecord;
  } else if (slot.has_counters != 0 && counters &&
             (counters->received < slot.received_before ||
              counters->received - slot.received_before != in.read)) {
    r.reason = CloseReason::kReadOutside;
  }
}

}  // namespace

const char* to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::kNone:
      return "goes on";
    case CloseReason::kNoCounters:
      return "no counters";
    case CloseReason::kSentOutside:
      return "sent outside of the record";
    case CloseReason::kReadOutside:
      return "read outside of the record";
    case CloseReason::kUnrecoverable:
      return "unrecoverable";
    case CloseReason::kBrokenRecord:
      return "broken record";
  }
  return "?";
}

Recovery recover(const Slot& shared, std::span<const View> views, std::span<const std::byte> arena,
                 bool quiescent, std::optional<Counters> counters) {
  const Slot slot = shared;
  Recovery r;
  if (slot.phase != static_cast<std::uint32_t>(SlotPhase::kOpen) || slot.out_now > 1 ||
      slot.in_now > 1) {
    r.reason = CloseReason::kBrokenRecord;
    return r;
  }
  const OutRecord& out = slot.out[slot.out_now];
  r.last_sequence = out.last_sequence;
  r.link_generation = out.link_generation;
  r.flags = out.flags;
  // Frames may have left that no record knows of: nothing said of the stream counts.
  if ((out.flags & kUnrecoverable) != 0) {
    r.reason = CloseReason::kUnrecoverable;
    return r;
  }
  const Memory memory(views, arena);
  recover_out(memory, out, left_of(slot, out, quiescent, counters), r);
  recover_in(memory, slot, slot.in[slot.in_now], counters, r);
  return r;
}

std::uint64_t server_frame_bytes(std::span<const std::byte> bytes) {
  if (bytes.size() < 2) return 0;
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint64_t>(bytes[i]); };
  const std::uint64_t length7 = byte(1);
  if ((length7 & 0x80U) != 0) return 0;  // masked: not a server's
  const std::size_t extended = length7 == 126 ? 2 : length7 == 127 ? 8 : 0;
  const std::size_t head = 2 + extended;
  if (bytes.size() < head) return 0;
  std::uint64_t length = extended == 0 ? length7 : 0;
  for (std::size_t i = 2; i < head; ++i) length = length << 8U | byte(i);
  return length <= bytes.size() - head ? head + length : 0;
}

std::optional<std::uint32_t> frame_end(std::span<const std::byte> run, std::uint32_t used,
                                       std::uint32_t position) {
  if (used > run.size() || position > used) return std::nullopt;
  std::uint64_t at = 0;
  while (at < position) {
    const std::uint64_t frame = server_frame_bytes(run.subspan(at, used - at));
    if (frame == 0) return std::nullopt;
    at += frame;
  }
  return static_cast<std::uint32_t>(at);
}

}  // namespace sluice::keeper
