// Deadlines of many keys, one entry each, O(1). No cancel: a key carries a generation, a stale one
// finds nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/clock.h"

namespace sluice {

template <typename Key>
class TimerWheel {
 public:
  /// Deadlines are met with the precision of `tick`; those further than tick × slots ahead go
  /// round.
  TimerWheel(Duration tick, std::size_t slots, TimePoint start)
      : tick_(tick), start_(start), slots_(slots) {
    CHECK(tick > Duration::zero() && slots > 1);
  }

  /// A deadline in the past is due at the next tick.
  void schedule(Key key, TimePoint deadline) {
    const std::uint64_t at = std::max(tick_of(deadline) + 1, next_);
    slots_[at % slots_.size()].push_back({at, std::move(key)});
    ++size_;
  }

  /// Calls due(key) for each whose time has come; due may schedule again.
  template <typename F>
  void advance(TimePoint now, F&& due) {
    const std::uint64_t until = tick_of(now);
    while (next_ <= until) {
      // A long sleep need not look at a slot more than once.
      if (until - next_ >= slots_.size()) next_ = until - slots_.size() + 1;
      const std::uint64_t current = next_++;
      std::vector<Entry> entries = std::exchange(slots_[current % slots_.size()], {});
      for (Entry& entry : entries) {
        if (entry.at > current) {
          slots_[current % slots_.size()].push_back(std::move(entry));
          continue;
        }
        --size_;
        due(std::move(entry.key));
      }
    }
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::uint64_t at;
    Key key;
  };
  [[nodiscard]] std::uint64_t tick_of(TimePoint t) const {
    return t <= start_ ? 0 : static_cast<std::uint64_t>((t - start_) / tick_);
  }

  Duration tick_;
  TimePoint start_;
  std::vector<std::vector<Entry>> slots_;
  std::uint64_t next_ = 0;  ///< first tick not yet looked at
  std::size_t size_ = 0;
};

}  // namespace sluice
