// Numbers and short texts to bytes and back, for records that another process of this host reads:
// host byte order, nothing aligned. Reading never leaves the bytes, whatever they say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice::gateway {

class ByteWriter {
 public:
  template <typename T>
  requires std::is_integral_v<T>
  void number(T value) { raw(&value, sizeof value); }
  void raw(const void* from, std::size_t n) {
    const auto* bytes = static_cast<const std::uint8_t*>(from);
    bytes_.insert(bytes_.end(), bytes, bytes + n);
  }
  /// Its length in 16 bits goes before: what is longer is cut.
  void text(std::string_view text) {
    text = text.substr(0, UINT16_MAX);
    number(static_cast<std::uint16_t>(text.size()));
    raw(text.data(), text.size());
  }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

/// What is not there reads as 0 or empty, and makes ok() false for good.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  template <typename T>
  requires std::is_integral_v<T>
  [[nodiscard]] T number() {
    T value{};
    const auto bytes = take(sizeof value);
    if (ok_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  [[nodiscard]] std::span<const std::uint8_t> take(std::size_t n) {
    ok_ = ok_ && n <= rest_.size();
    if (!ok_) return {};
    const auto taken = rest_.first(n);
    rest_ = rest_.subspan(n);
    return taken;
  }
  [[nodiscard]] std::string text() {
    const auto bytes = take(number<std::uint16_t>());
    return {bytes.begin(), bytes.end()};
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  /// Everything was there, and nothing is left.
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }

 private:
  std::span<const std::uint8_t> rest_;
  bool ok_ = true;
};

}  // namespace sluice::gateway
