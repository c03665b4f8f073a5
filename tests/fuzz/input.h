// Reads decisions out of a fuzzer's input. Past its end everything is 0, so that every input means
// something.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  /// In [0, bound); bound is 1 to 256.
  [[nodiscard]] std::size_t below(std::size_t bound) { return byte() % bound; }
  [[nodiscard]] bool flag() { return (byte() & 1U) != 0; }
  [[nodiscard]] std::uint64_t integer(std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8U | byte();
    return value;
  }
  [[nodiscard]] std::span<const std::uint8_t> take(std::size_t bytes) {
    const auto taken = rest_.first(std::min(bytes, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// One byte of length, then so many bytes.
  [[nodiscard]] std::string text() {
    const auto bytes = take(byte());
    return {bytes.begin(), bytes.end()};
  }
  [[nodiscard]] std::span<const std::uint8_t> rest() { return take(rest_.size()); }

 private:
  std::span<const std::uint8_t> rest_;
};

/// How a stream is cut: the input's first byte is a number n, then come n sizes; they repeat until
/// the stream ends. n = 0: all at once.
class Chunks {
 public:
  Chunks() = default;  ///< all at once
  explicit Chunks(Input& input) {
    sizes_.resize(input.below(kSizesMax));
    for (std::size_t& size : sizes_) size = input.byte() + std::size_t{1};
  }
  /// The next size, at most `left`.
  [[nodiscard]] std::size_t next(std::size_t left) {
    if (sizes_.empty()) return left;
    return std::min(left, sizes_[place_++ % sizes_.size()]);
  }

 private:
  static constexpr std::size_t kSizesMax = 16;
  std::vector<std::size_t> sizes_;
  std::size_t place_ = 0;
};

[[nodiscard]] inline std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace sluice::fuzz

/// What each target implements; a broken promise ends the process by CHECK.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
