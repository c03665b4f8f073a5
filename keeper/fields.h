// Numbers and texts one behind the other, in host byte order; read with bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sluice::keeper {

class FieldWriter {
 public:
  template <typename T>
  void number(T value) {
    static_assert(std::is_integral_v<T>);
    const auto* from = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), from, from + sizeof value);
  }
  void text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    const auto* from = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), from, from + text.size());
  }
  [[nodiscard]] std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// What is missing reads as 0 and empty, and complete() is false from then on.
class FieldReader {
 public:
  explicit FieldReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename T>
  [[nodiscard]] T number() {
    static_assert(std::is_integral_v<T>);
    T value{};
    if (const auto from = take(sizeof value); !from.empty())
      std::memcpy(&value, from.data(), sizeof value);
    return value;
  }
  /// Longer than `most`: as if it were missing.
  [[nodiscard]] std::string text(std::size_t most) {
    const auto size = number<std::uint32_t>();
    if (size > most) good_ = false;
    const auto from = good_ ? take(size) : std::span<const std::byte>{};
    return {reinterpret_cast<const char*>(from.data()), from.size()};
  }
  [[nodiscard]] bool good() const { return good_; }
  /// Nothing was missing, and nothing is left.
  [[nodiscard]] bool complete() const { return good_ && bytes_.empty(); }
  /// What is left is not looked at.
  void skip_rest() { bytes_ = {}; }

 private:
  std::span<const std::byte> take(std::size_t size) {
    if (!good_ || size > bytes_.size()) {
      good_ = false;
      return {};
    }
    const auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }

  std::span<const std::byte> bytes_;
  bool good_ = true;
};

}  // namespace sluice::keeper
