// A queue in one block of memory, which grows by doubling and is kept: what a std::deque of the
// same use would allocate and free for every few entries. Pure.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/check.h"

namespace sluice::relay {

/// The owner bounds the number of entries. T is made without arguments and moved.
template <typename T>
class CircularQueue {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// `place` < size(); the front is 0.
  [[nodiscard]] const T& operator[](std::size_t place) const { return slots_[slot(place)]; }
  [[nodiscard]] T& operator[](std::size_t place) { return slots_[slot(place)]; }
  [[nodiscard]] const T& front() const { return slots_[begin_]; }

  void push_back(T value) {
    if (size_ == slots_.size()) grow();
    slots_[slot(size_)] = std::move(value);
    ++size_;
  }
  T pop_front() {
    CHECK(size_ > 0);
    T value = std::move(slots_[begin_]);
    drop_front();
    return value;
  }
  /// Does not even look at an entry that owns nothing: it may have left the cache long ago.
  void drop_front() {
    CHECK(size_ > 0);
    if constexpr (!std::is_trivially_destructible_v<T>) slots_[begin_] = T{};
    begin_ = slot(1);
    --size_;
  }

 private:
  static constexpr std::size_t kSlotsMin = 16;

  /// The number of slots is a power of two.
  [[nodiscard]] std::size_t slot(std::size_t place) const {
    return (begin_ + place) & (slots_.size() - 1);
  }
  void grow() {
    std::vector<T> more(slots_.empty() ? kSlotsMin : 2 * slots_.size());
    for (std::size_t i = 0; i < size_; ++i) more[i] = std::move(slots_[slot(i)]);
    slots_.swap(more);
    begin_ = 0;
  }

  std::vector<T> slots_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
};

}  // namespace sluice::relay
