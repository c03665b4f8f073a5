// Runs of frames in the state memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gateway/run_memory.h"
#include "keeper/arena.h"

namespace sluice::gateway {

class RunArena final : public RunMemory {
 public:
  /// Outlived by `arena`; outlives the runs in it.
  explicit RunArena(keeper::Arena& arena) : arena_(arena) {}

  [[nodiscard]] Block allocate(std::size_t bytes) override {
    const keeper::ArenaUnit unit = arena_.allocate(bytes);
    if (unit != 0) return {unit, reinterpret_cast<std::uint8_t*>(arena_.data(unit))};
    ++refused_;
    return {};
  }
  void shrink(keeper::ArenaUnit unit, std::size_t bytes) override { arena_.shrink(unit, bytes); }
  void free(keeper::ArenaUnit unit) override { arena_.free(unit); }

  [[nodiscard]] keeper::Arena& arena() const { return arena_; }
  /// Blocks that did not fit, never reset.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  keeper::Arena& arena_;
  std::uint64_t refused_ = 0;
};

}  // namespace sluice::gateway
