#include "keeper/arena.h"

#include <algorithm>
#include <bit>
#include <new>

#include "common/check.h"

namespace sluice::keeper {
namespace {

/// What is free is merged when nothing fits and so much of the arena has been freed since the last
/// time: else a full arena would do nothing but merge.
constexpr std::size_t kMergePart = 64;

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
    const auto size_class =
        std::min(static_cast<std::size_t>(std::bit_width(units) - 1), kClasses - 1);
    free_[size_class].push_back(static_cast<ArenaUnit>(from_unit));
    from_unit += units_of(size_class);
    units -= units_of(size_class);
  }
}

ArenaUnit Arena::allocate(std::size_t bytes) {
  const std::size_t wanted = class_of(bytes);
  if (wanted >= kClasses) return 0;
  ArenaUnit block = take(wanted);
  if (block == 0 && freed_bytes_ > memory_.size() / kMergePart) {
    merge();
    block = take(wanted);
  }
  if (block == 0) return 0;
  new (memory_.data() + block * kArenaUnit)
      BlockHeader{.bytes = static_cast<std::uint32_t>(room_of(wanted)), .used = 0};
  used_bytes_ += units_of(wanted) * kArenaUnit;
  return block;
}

/// 0: none.
ArenaUnit Arena::take(std::size_t wanted) {
  if (free_[wanted].empty() && top_ + units_of(wanted) <= memory_.size() / kArenaUnit) {
    const auto block = static_cast<ArenaUnit>(top_);
    top_ += units_of(wanted);
    return block;
  }
  // What was freed in larger blocks, once there is nothing new left.
  std::size_t found = wanted;
  while (found < kClasses && free_[found].empty()) ++found;
  if (found == kClasses) return 0;
  const ArenaUnit block = free_[found].back();
  free_[found].pop_back();
  give(block + units_of(wanted), units_of(found) - units_of(wanted));
  return block;
}

/// Free blocks that lie side by side become larger ones, and the last of them new memory.
void Arena::merge() {
  struct Piece {
    std::size_t from = 0;
    std::size_t to = 0;
  };
  std::vector<Piece> pieces;
  for (std::size_t size_class = 0; size_class < kClasses; ++size_class) {
    for (const ArenaUnit block : free_[size_class])
      pieces.push_back({block, block + units_of(size_class)});
    free_[size_class].clear();
  }
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.from < b.from; });
  for (std::size_t i = 0; i < pieces.size();) {
    Piece whole = pieces[i++];
    while (i < pieces.size() && pieces[i].from == whole.to) whole.to = pieces[i++].to;
    if (whole.to == top_) {
      top_ = whole.from;
    } else {
      give(whole.from, whole.to - whole.from);
    }
  }
  freed_bytes_ = 0;
}

void Arena::free(ArenaUnit block) {
  if (block == 0) return;
  const std::size_t size_class = class_of(header(block).bytes);
  used_bytes_ -= units_of(size_class) * kArenaUnit;
  freed_bytes_ += units_of(size_class) * kArenaUnit;
  free_[size_class].push_back(block);
}

void Arena::shrink(ArenaUnit block, std::size_t bytes) {
  const std::size_t units = units_of(class_of(header(block).bytes));
  const std::size_t size_class = class_of(bytes);
  if (units_of(size_class) >= units) return;
  publish(header(block).bytes, static_cast<std::uint32_t>(room_of(size_class)));
  const std::size_t freed = units - units_of(size_class);
  give(block + units_of(size_class), freed);
  used_bytes_ -= freed * kArenaUnit;
  freed_bytes_ += freed * kArenaUnit;
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
