// Where the bytes of runs lie when a successor must find them: blocks of the state memory's arena.
// Pure; handoff/run_arena is the one that there is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "keeper/shared_state.h"

namespace sluice::gateway {

class RunMemory {
 public:
  /// Its keeper::BlockHeader stands right before `data`.
  struct Block {
    keeper::ArenaUnit unit = 0;  ///< 0: none left
    std::uint8_t* data = nullptr;
  };

  virtual ~RunMemory() = default;
  /// Room for at least so many bytes, none of them used.
  [[nodiscard]] virtual Block allocate(std::size_t bytes) = 0;
  /// The block stays where it is, with room for at least so many bytes.
  virtual void shrink(keeper::ArenaUnit unit, std::size_t bytes) = 0;
  virtual void free(keeper::ArenaUnit unit) = 0;
};

}  // namespace sluice::gateway
