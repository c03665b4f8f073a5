// A queue in blocks, of which one that became free is used again: a queue that stays about as long
// as it is allocates nothing, where a std::deque allocates and frees for every few entries. Growing
// moves no entry, so it keeps nobody waiting. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <type_traits>
#include <utility>

#include "common/check.h"

namespace sluice::relay {

/// The owner bounds the number of entries. T is made without arguments and moved.
template <typename T>
class BlockQueue {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// `place` < size(); the front is 0.
  [[nodiscard]] const T& operator[](std::size_t place) const { return slot(place); }
  [[nodiscard]] T& operator[](std::size_t place) { return slot(place); }
  [[nodiscard]] const T& front() const { return slot(0); }

  void push_back(T value) {
    if (begin_ + size_ == blocks_.size() * kBlockEntries) add_block();
    slot(size_++) = std::move(value);
  }
  T pop_front() {
    CHECK(size_ > 0);
    T value = std::move(slot(0));
    drop_front();
    return value;
  }
  /// Does not even look at an entry that owns nothing: it may have left the cache long ago.
  void drop_front() {
    CHECK(size_ > 0);
    if constexpr (!std::is_trivially_destructible_v<T>) slot(0) = T{};
    --size_;
    if (++begin_ < kBlockEntries) return;
    begin_ = 0;
    spare_ = std::move(blocks_.front());
    blocks_.pop_front();
  }

 private:
  static constexpr std::size_t kBlockEntries = 256;
  using Block = std::array<T, kBlockEntries>;

  [[nodiscard]] T& slot(std::size_t place) const {
    const std::size_t from_first = begin_ + place;
    return (*blocks_[from_first / kBlockEntries])[from_first % kBlockEntries];
  }
  void add_block() { blocks_.push_back(spare_ ? std::move(spare_) : std::make_unique<Block>()); }

  std::deque<std::unique_ptr<Block>> blocks_;
  std::unique_ptr<Block> spare_;
  std::size_t begin_ = 0;  ///< place of the front in the first block
  std::size_t size_ = 0;
};

}  // namespace sluice::relay
