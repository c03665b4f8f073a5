// UTF-8, RFC 3629: for whole buffers (simdjson) and for bytes that come in pieces.
#pragma once

#include <cstdint>
#include <span>

namespace sluice {

[[nodiscard]] bool valid_utf8(std::span<const std::uint8_t> bytes);

/// Checks a text that comes in pieces, however it is cut, and fails at the first byte that can't be
/// part of any valid text.
class Utf8Validator {
 public:
  /// False for ever once a byte was wrong.
  [[nodiscard]] bool feed(std::span<const std::uint8_t> bytes);
  /// Nothing is missing of the last character.
  [[nodiscard]] bool complete() const { return ok_ && missing_ == 0; }
  void reset() { *this = Utf8Validator{}; }

  /// Where in a character a good text stands, as a number that another process goes on from.
  [[nodiscard]] std::uint32_t position() const {
    return std::uint32_t{missing_} << 16U | std::uint32_t{low_} << 8U | high_;
  }
  /// False, and nothing is changed: no text stands there.
  [[nodiscard]] bool set_position(std::uint32_t position);

 private:
  [[nodiscard]] bool step(std::uint8_t byte);

  std::uint8_t missing_ = 0;  ///< continuation bytes still to come
  std::uint8_t low_ = 0x80;   ///< range of the next one
  std::uint8_t high_ = 0xBF;
  bool ok_ = true;
};

}  // namespace sluice
