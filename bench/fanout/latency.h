// Latencies as counts per bucket, 64 to a doubling: percentiles within 1.6 %. Pure.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace sluice::fanout {

class Latencies {
 public:
  void add(std::uint64_t nanoseconds) {
    ++counts_[bucket(nanoseconds)];
    ++total_;
  }
  void clear() {
    counts_.fill(0);
    total_ = 0;
  }
  [[nodiscard]] std::uint64_t count() const { return total_; }

  /// The bucket's upper end below which that share (0 to 1) of all lies; 0 when there is none.
  [[nodiscard]] std::uint64_t percentile_ns(double share) const {
    if (total_ == 0) return 0;
    auto left = static_cast<std::uint64_t>(share * static_cast<double>(total_ - 1)) + 1;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] >= left) return upper(i);
      left -= counts_[i];
    }
    return upper(counts_.size() - 1);
  }

 private:
  static constexpr unsigned kSubBits = 6;
  static constexpr std::uint64_t kSub = 1U << kSubBits;

  [[nodiscard]] static std::size_t bucket(std::uint64_t value) {
    if (value < kSub) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return (shift + 1) * kSub + ((value >> shift) - kSub);
  }
  [[nodiscard]] static std::uint64_t upper(std::size_t index) {
    if (index < kSub) return index;
    const std::uint64_t shift = index / kSub - 1;
    return ((index % kSub + kSub + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kSubBits + 1) * kSub> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace sluice::fanout
