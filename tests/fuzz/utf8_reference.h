// UTF-8 by the table of RFC 3629 section 4, slow and plain: what common/utf8 is compared with.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::fuzz {

/// Length of the character at `at`. 0: no text has these bytes; -1: its beginning is right, the
/// rest is not there.
[[nodiscard]] inline int character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const int length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  for (int i = 1; i < length; ++i) {
    const auto place = static_cast<std::size_t>(i);
    if (at + place >= text.size()) return -1;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (i == 1 && first == 0xE0) low = 0xA0;
    if (i == 1 && first == 0xED) high = 0x9F;
    if (i == 1 && first == 0xF0) low = 0x90;
    if (i == 1 && first == 0xF4) high = 0x8F;
    if (byte(place) < low || byte(place) > high) return 0;
  }
  return length;
}

enum class Text { kValid, kBegun, kWrong };

[[nodiscard]] inline Text judge_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const int length = character_at(text, at);
    if (length == 0) return Text::kWrong;
    if (length < 0) return Text::kBegun;
    at += static_cast<std::size_t>(length);
  }
  return Text::kValid;
}

/// How many bytes until no valid text can begin so, the wrong one included; 0: that never happens.
[[nodiscard]] inline std::size_t first_wrong_byte(std::string_view text) {
  for (std::size_t n = 1; n <= text.size(); ++n) {
    if (judge_text(text.substr(0, n)) == Text::kWrong) return n;
  }
  return 0;
}

}  // namespace sluice::fuzz
