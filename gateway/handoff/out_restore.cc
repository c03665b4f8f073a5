#include "gateway/handoff/out_restore.h"

#include <algorithm>
#include <utility>

#include "keeper/recovery.h"

namespace sluice::gateway {
namespace {

using keeper::Arena;
using keeper::ArenaUnit;
using keeper::Slot;

/// Units that a block takes, header included.
[[nodiscard]] std::uint64_t units_of(std::span<const std::byte> arena, ArenaUnit block) {
  const std::size_t bytes = Arena::data_of(arena, block).size() + sizeof(keeper::BlockHeader);
  return (bytes + keeper::kArenaUnit - 1) / keeper::kArenaUnit;
}

/// Blocks that belong to this slot alone.
void add_blocks_of(const Slot& slot, std::span<const std::byte> arena,
                   std::vector<ArenaUnit>& blocks) {
  const auto add = [&](ArenaUnit block) {
    if (Arena::valid(arena, block)) blocks.push_back(block);
  };
  if (slot.phase != static_cast<std::uint32_t>(keeper::SlotPhase::kOpen)) return;
  add(static_cast<ArenaUnit>(slot.session >> 32U));
  if (const std::uint32_t now = slot.out_now; now <= 1) add(slot.out[now].queue);
  if (const std::uint32_t now = slot.in_now; now <= 1) {
    add(slot.in[now].message);
    add(slot.in[now].scanner);
  }
}

/// Ends of the whole server frames in `bytes`; what follows the last of them is none.
[[nodiscard]] std::vector<std::uint32_t> frame_ends(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint32_t> ends;
  auto rest = std::as_bytes(bytes);
  while (const std::uint64_t frame = keeper::server_frame_bytes(rest)) {
    rest = rest.subspan(frame);
    ends.push_back(static_cast<std::uint32_t>(bytes.size() - rest.size()));
  }
  return ends;
}

}  // namespace

Result<std::vector<ArenaUnit>> collect_blocks(const keeper::SharedState& state,
                                              std::span<const keeper::View> pending) {
  const std::span<const std::byte> arena = state.arena();
  std::vector<ArenaUnit> blocks;
  for (const keeper::View& view : pending)
    if (Arena::valid(arena, view.run)) blocks.push_back(view.run);
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  for (const Slot& slot : state.slots()) add_blocks_of(slot, arena, blocks);
  std::sort(blocks.begin(), blocks.end());
  std::uint64_t end = 0;
  for (const ArenaUnit block : blocks) {
    if (block < end)
      return fail(ErrorCode::kInvalid, "block " + std::to_string(block) + " lies in another");
    end = block + units_of(arena, block);
  }
  return blocks;
}

OutRestore::OutRestore(const keeper::SharedState& state, OutRecorder& recorder, RunArena& runs,
                       std::span<const ArenaUnit> blocks)
    : state_(state), recorder_(recorder), runs_(runs), blocks_(blocks) {
}

bool OutRestore::restore(ClientSession& session, std::span<const keeper::View> pending,
                         const OutResume& at) {
  if ((at.flags & keeper::kUnrecoverable) != 0) return false;
  const std::span<const Slot> slots = state_.slots();
  if (session.ref.index >= slots.size()) return false;
  Outbox outbox;
  for (std::size_t i = 0; i < pending.size(); ++i) {
    RunView view;
    if (!view_of(pending[i], i == 0, view)) return false;
    outbox.push_last(view);
  }
  session.outbox = std::move(outbox);
  const bool closing = (at.flags & keeper::kCloseQueued) != 0;
  if (closing && session.phase == SessionPhase::kOpen) session.phase = SessionPhase::kClosing;
  const Slot& slot = slots[session.ref.index];
  const ArenaUnit queue = slot.out[slot.out_now & 1U].queue;
  recorder_.adopted(session, {.written = at.written,
                              .sequence = at.last_sequence,
                              .link_generation = at.link_generation,
                              .queue_block = listed(queue) ? queue : 0,
                              .recorded = true,
                              .has_counters = slot.has_counters != 0,
                              .close_queued = closing});
  return true;
}

bool OutRestore::listed(ArenaUnit block) const {
  return std::binary_search(blocks_.begin(), blocks_.end(), block);
}

const OutRestore::Shelved* OutRestore::find(ArenaUnit unit) {
  if (const auto known = shelf_.find(unit); known != shelf_.end()) return &known->second;
  if (!listed(unit)) return nullptr;
  const Arena& arena = runs_.arena();
  auto* data = reinterpret_cast<std::uint8_t*>(arena.data(unit));
  const std::size_t used = std::min(arena.header(unit).used, arena.header(unit).bytes);
  Shelved shelved{FrameRun::adopt(runs_, {unit, data}, used), frame_ends({data, used})};
  return &shelf_.emplace(unit, std::move(shelved)).first->second;
}

/// Frames end where a view ends, and only the first one may begin inside of one.
bool OutRestore::view_of(const keeper::View& pending, bool first, RunView& view) {
  const Shelved* shelved = find(pending.run);
  if (shelved == nullptr || pending.begin >= pending.end) return false;
  const std::vector<std::uint32_t>& ends = shelved->ends;
  const auto after_begin = std::upper_bound(ends.begin(), ends.end(), pending.begin);
  const auto last = std::lower_bound(ends.begin(), ends.end(), pending.end);
  if (last == ends.end() || *last != pending.end) return false;
  const bool at_frame =
      pending.begin == 0 || (after_begin != ends.begin() && *(after_begin - 1) == pending.begin);
  if (!first && !at_frame) return false;
  view = {shelved->run.get(), pending.begin, pending.end,
          static_cast<std::uint32_t>(last - after_begin + 1)};
  return true;
}

}  // namespace sluice::gateway
