#include "gateway/handoff/run_arena.h"

namespace sluice::gateway {

RunMemory::Block RunArena::allocate(std::size_t bytes) {
  const keeper::ArenaUnit unit = arena_.allocate(bytes);
  if (unit == 0) {
    ++refused_;
    return {};
  }
  return {unit, reinterpret_cast<std::uint8_t*>(arena_.data(unit))};
}

void RunArena::give_back() {
  for (const keeper::ArenaUnit unit : freed_) arena_.free(unit);
  freed_.clear();
}

}  // namespace sluice::gateway
