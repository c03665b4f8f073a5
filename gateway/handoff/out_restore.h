// What clients had still to get when the gateway before ended, as outboxes again. Pure. The memory
// is not trusted. The order, so that nothing is overwritten that a third process might need:
//
//   1. recover() for each open slot: the views of what is still to be sent
//   2. collect_blocks(state, all those views)
//   3. Arena(memory, blocks), RunArena, FrameRun::use(), OutRecorder
//   4. OutRestore, restore() for each session, Sender::resumed(); OutRestore ends
//   5. OutRecorder::sync_all(), before anything is sent: the first store into any record. The view
//      region is free for new intents from then on.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "gateway/client_session.h"
#include "gateway/handoff/out_recorder.h"
#include "gateway/handoff/run_arena.h"
#include "keeper/shared_memory.h"

namespace sluice::gateway {

/// Every block of the arena that must stay as it is, sorted: the runs in `pending`, and of open
/// slots the counting records' queues, messages and scanners, and the sessions' records. What can't
/// be a block is left out: who needs it will not find it in the list. kInvalid: blocks overlap, or
/// one belongs to two slots; then nothing in this memory can be relied on.
[[nodiscard]] Result<std::vector<keeper::ArenaUnit>> collect_blocks(
    const keeper::SharedState& state, std::span<const keeper::View> pending);

/// Where a client's stream stands, as recovered from its record and the kernel's counters.
struct OutResume {
  std::uint64_t written = 0;  ///< bytes that have left since the slot opened
  std::uint64_t last_sequence = 0;
  std::uint32_t link_generation = 0;
  std::uint32_t flags = 0;  ///< keeper::OutFlag
};

class OutRestore {
 public:
  /// `blocks`: of collect_blocks(). All outlive it.
  OutRestore(const keeper::SharedState& state, OutRecorder& recorder, RunArena& runs,
             std::span<const keeper::ArenaUnit> blocks);

  /// Fills the outbox of a session, which stands in its slot, and its `out`; with a close frame
  /// queued its phase as well. Not state.last_sequence, which may be later than the record's.
  /// False: what is pending is no whole frames; the session is as it was.
  [[nodiscard]] bool restore(ClientSession& session, std::span<const keeper::View> pending,
                             const OutResume& at);

 private:
  /// One run for all clients that share it.
  struct Shelved {
    FrameRef run;
    std::vector<std::uint32_t> ends;  ///< of its frames
  };

  [[nodiscard]] bool listed(keeper::ArenaUnit block) const;
  /// Null: there is no such run.
  [[nodiscard]] const Shelved* find(keeper::ArenaUnit unit);
  [[nodiscard]] bool view_of(const keeper::View& pending, bool first, RunView& view);

  const keeper::SharedState& state_;
  OutRecorder& recorder_;
  RunArena& runs_;
  std::span<const keeper::ArenaUnit> blocks_;
  std::unordered_map<keeper::ArenaUnit, Shelved> shelf_;
};

}  // namespace sluice::gateway
