// Allocator of the state memory's arena: blocks of powers of two, each behind its BlockHeader. What
// is free is known to this process alone; after a takeover it is whatever the records don't
// mention.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "keeper/shared_state.h"

namespace sluice::keeper {

class Arena {
 public:
  /// All of it free.
  explicit Arena(std::span<std::byte> memory);
  /// `in_use`: blocks that must stay as they are, in any order, each once; every one was judged by
  /// valid() before, and they don't overlap.
  Arena(std::span<std::byte> memory, std::vector<ArenaUnit> in_use);

  /// Room for at least `bytes`; 0: none left. The header's `bytes` is the room, `used` is 0.
  [[nodiscard]] ArenaUnit allocate(std::size_t bytes);
  /// 0 is nothing.
  void free(ArenaUnit block);
  /// The block keeps its place and room for at least `bytes`, of which none that count may lie
  /// beyond; what is more than that becomes free. At any instruction it is a block, the old one or
  /// the new one.
  void shrink(ArenaUnit block, std::size_t bytes);

  [[nodiscard]] BlockHeader& header(ArenaUnit block) const;
  [[nodiscard]] std::byte* data(ArenaUnit block) const;
  /// Bytes in blocks that are in use, headers included.
  [[nodiscard]] std::size_t used_bytes() const { return used_bytes_; }
  [[nodiscard]] std::size_t capacity() const { return memory_.size(); }

  /// Whether `block` could be one: inside, of a size that this allocator makes.
  [[nodiscard]] static bool valid(std::span<const std::byte> memory, ArenaUnit block);
  /// Where block addresses point to, for who reads only. Only after valid().
  [[nodiscard]] static std::span<const std::byte> data_of(std::span<const std::byte> memory,
                                                          ArenaUnit block);

 private:
  static constexpr std::size_t kClasses = 27;  ///< 64 bytes to 4 GiB

  [[nodiscard]] ArenaUnit take(std::size_t size_class);
  void give(std::size_t from_unit, std::size_t units);
  void merge();

  std::span<std::byte> memory_;
  std::size_t top_ = 1;  ///< unit behind the last block ever made; unit 0 is no block
  std::size_t used_bytes_ = 0;
  std::size_t freed_bytes_ = 0;  ///< since what is free was last merged
  std::array<std::vector<ArenaUnit>, kClasses> free_;
};

}  // namespace sluice::keeper
