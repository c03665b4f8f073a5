#include "common/tokens/base64.h"

#include <array>
#include <cstdint>

namespace sluice {
namespace {

constexpr std::string_view kCommon =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::uint8_t kNone = 0xFF;

using Values = std::array<std::uint8_t, 256>;

constexpr Values values_with(char of_62, char of_63) {
  Values values{};
  for (std::uint8_t& value : values) value = kNone;
  for (std::size_t i = 0; i < kCommon.size(); ++i)
    values[static_cast<unsigned char>(kCommon[i])] = static_cast<std::uint8_t>(i);
  values[static_cast<unsigned char>(of_62)] = 62;
  values[static_cast<unsigned char>(of_63)] = 63;
  return values;
}

constexpr Values kUrlValues = values_with('-', '_');
constexpr Values kPlainValues = values_with('+', '/');

std::optional<std::string> decode(std::string_view text, const Values& values) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const std::uint8_t value = values[static_cast<unsigned char>(c)];
    if (value == kNone) return std::nullopt;
    bits = bits << 6U | value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes.push_back(static_cast<char>(bits >> held & 0xFFU));
  }
  // Bits that belong to no byte are 0: else there were several texts of the same bytes.
  if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace

std::optional<std::string> decode_base64url(std::string_view text) {
  return decode(text, kUrlValues);
}

std::optional<std::string> decode_base64(std::string_view text) {
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (padding > 0 && text.size() % 4 != 0) return std::nullopt;
  text.remove_suffix(padding);
  return decode(text, kPlainValues);
}

std::string encode_base64url(std::string_view bytes) {
  constexpr std::string_view kEnd = "-_";
  const auto letter = [&](std::uint32_t value) {
    value &= 63U;
    return value < kCommon.size() ? kCommon[value] : kEnd[value - kCommon.size()];
  };
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : bytes) {
    bits = bits << 8U | static_cast<unsigned char>(c);
    held += 8;
    while (held >= 6) {
      held -= 6;
      text.push_back(letter(bits >> held));
    }
  }
  if (held > 0) text.push_back(letter(bits << (6 - held)));
  return text;
}

}  // namespace sluice
