#include "common/utf8.h"

#include <simdjson.h>

#include <cstring>

namespace sluice {

bool valid_utf8(std::span<const std::uint8_t> bytes) {
  return simdjson::validate_utf8(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

bool Utf8Validator::step(std::uint8_t byte) {
  if (missing_ > 0) {
    if (byte < low_ || byte > high_) return false;
    low_ = 0x80;
    high_ = 0xBF;
    --missing_;
    return true;
  }
  if (byte < 0x80) return true;
  if (byte >= 0xC2 && byte <= 0xDF) {
    missing_ = 1;
  } else if (byte >= 0xE0 && byte <= 0xEF) {
    missing_ = 2;
    if (byte == 0xE0) low_ = 0xA0;   // overlong
    if (byte == 0xED) high_ = 0x9F;  // surrogates
  } else if (byte >= 0xF0 && byte <= 0xF4) {
    missing_ = 3;
    if (byte == 0xF0) low_ = 0x90;   // overlong
    if (byte == 0xF4) high_ = 0x8F;  // above U+10FFFF
  } else {
    return false;
  }
  return true;
}

bool Utf8Validator::set_position(std::uint32_t position) {
  const std::uint32_t missing = position >> 16U;
  const std::uint32_t range = position & 0xFFFFU;
  // Any continuation byte, or behind one of the first bytes that allow fewer (see step()).
  const bool known = range == 0x80BF || (missing == 2 && (range == 0xA0BF || range == 0x809F)) ||
                     (missing == 3 && (range == 0x90BF || range == 0x808F));
  if (missing > 3 || !known) return false;
  missing_ = static_cast<std::uint8_t>(missing);
  low_ = static_cast<std::uint8_t>(range >> 8U);
  high_ = static_cast<std::uint8_t>(range & 0xFFU);
  ok_ = true;
  return true;
}

bool Utf8Validator::feed(std::span<const std::uint8_t> bytes) {
  if (!ok_) return false;
  std::size_t i = 0;
  while (i < bytes.size()) {
    // Eight ASCII bytes at once: nearly all that ever comes.
    std::uint64_t word = 0;
    if (missing_ == 0 && i + sizeof word <= bytes.size()) {
      std::memcpy(&word, bytes.data() + i, sizeof word);
      if ((word & 0x8080808080808080U) == 0) {
        i += sizeof word;
        continue;
      }
    }
    if (!step(bytes[i++])) return ok_ = false;
  }
  return true;
}

}  // namespace sluice
