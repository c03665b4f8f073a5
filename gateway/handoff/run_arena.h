// Runs of frames in the state memory. A block that a run gives back may still be named by a record
// that counts, one whose bytes have left; so it is free for others only after reclaim(), which the
// recorder calls when no record names it any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gateway/run_memory.h"
#include "keeper/arena.h"

namespace sluice::gateway {

class RunArena final : public RunMemory {
 public:
  /// Outlived by `arena`; outlives the runs in it.
  explicit RunArena(keeper::Arena& arena) : arena_(arena) {}

  [[nodiscard]] Block allocate(std::size_t bytes) override;
  void shrink(keeper::ArenaUnit unit, std::size_t bytes) override { arena_.shrink(unit, bytes); }
  void free(keeper::ArenaUnit unit) override { freed_.push_back(unit); }

  void reclaim() {
    if (!freed_.empty()) give_back();
  }
  [[nodiscard]] keeper::Arena& arena() const { return arena_; }
  /// Blocks that did not fit, never reset.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  void give_back();

  keeper::Arena& arena_;
  std::vector<keeper::ArenaUnit> freed_;
  std::uint64_t refused_ = 0;
};

}  // namespace sluice::gateway
