#include "keeper/arena.h"

#include <algorithm>
#include <bit>
#include <new>

#include "common/check.h"

namespace sluice::keeper {
namespace {

/// Units of a block of this class.
[[nodiscard]] constexpr std::size_t units_of(std::size_t size_class) {
  return std::size_t{1} << size_class;
}

[[nodiscard]] constexpr std::size_t class_of(std::size_t bytes) {
  const std::size_t units = (bytes + sizeof(BlockHeader) + kArenaUnit - 1) / kArenaUnit;
  return static_cast<std::size_t>(std::bit_width(units - 1));
}

/// What a block's header says of its size.
[[nodiscard]] constexpr std::size_t room_of(std::size_t size_class) {
  return units_of(size_class) * kArenaUnit - sizeof(BlockHeader);
}

}  // namespace

Arena::Arena(std::span<std::byte> memory) : memory_(memory) {
}

Arena::Arena(std::span<std::byte> memory, std::vector<ArenaUnit> in_use) : memory_(memory) {
  std::sort(in_use.begin(), in_use.end());
  for (const ArenaUnit block : in_use) {
    CHECK(valid(memory_, block) && block >= top_);
    give(top_, block - top_);
    const std::size_t units = units_of(class_of(header(block).bytes));
    used_bytes_ += units * kArenaUnit;
    top_ = block + units;
  }
}

/// What lies free between blocks, in the largest pieces.
void Arena::give(std::size_t from_unit, std::size_t units) {
  while (units > 0) {
    const auto size_class = static_cast<std::size_t>(std::bit_width(units) - 1);
    free_[size_class].push_back(static_cast<ArenaUnit>(from_unit));
    from_unit += units_of(size_class);
    units -= units_of(size_class);
  }
}

ArenaUnit Arena::allocate(std::size_t bytes) {
  const std::size_t wanted = class_of(bytes);
  if (wanted >= kClasses) return 0;
  std::size_t found = wanted;
  ArenaUnit block = 0;
  if (free_[wanted].empty() && top_ + units_of(wanted) <= memory_.size() / kArenaUnit) {
    block = static_cast<ArenaUnit>(top_);
    top_ += units_of(wanted);
  } else {
    // What was freed in larger blocks, once there is nothing new left.
    while (found < kClasses && free_[found].empty()) ++found;
    if (found == kClasses) return 0;
    block = free_[found].back();
    free_[found].pop_back();
    give(block + units_of(wanted), units_of(found) - units_of(wanted));
  }
  new (memory_.data() + block * kArenaUnit)
      BlockHeader{.bytes = static_cast<std::uint32_t>(room_of(wanted)), .used = 0};
  used_bytes_ += units_of(wanted) * kArenaUnit;
  return block;
}

void Arena::free(ArenaUnit block) {
  if (block == 0) return;
  const std::size_t size_class = class_of(header(block).bytes);
  used_bytes_ -= units_of(size_class) * kArenaUnit;
  free_[size_class].push_back(block);
}

BlockHeader& Arena::header(ArenaUnit block) const {
  return *std::launder(reinterpret_cast<BlockHeader*>(memory_.data() + block * kArenaUnit));
}

std::byte* Arena::data(ArenaUnit block) const {
  return memory_.data() + block * kArenaUnit + sizeof(BlockHeader);
}

bool Arena::valid(std::span<const std::byte> memory, ArenaUnit block) {
  const std::size_t units = memory.size() / kArenaUnit;
  if (block == 0 || block >= units) return false;
  const auto& header =
      *std::launder(reinterpret_cast<const BlockHeader*>(memory.data() + block * kArenaUnit));
  const std::size_t size_class = class_of(header.bytes);
  return size_class < kClasses && room_of(size_class) == header.bytes &&
         header.used <= header.bytes && units_of(size_class) <= units - block;
}

std::span<const std::byte> Arena::data_of(std::span<const std::byte> memory, ArenaUnit block) {
  const auto& header =
      *std::launder(reinterpret_cast<const BlockHeader*>(memory.data() + block * kArenaUnit));
  return memory.subspan(block * kArenaUnit + sizeof(BlockHeader), header.bytes);
}

}  // namespace sluice::keeper
