#include "common/base64.h"

#include <array>
#include <cstdint>

namespace sluice {
namespace {

constexpr std::string_view kPlainDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kNone = 0xFF;

using Values = std::array<std::uint8_t, 256>;

constexpr Values values_of(std::string_view digits) {
  Values values{};
  values.fill(kNone);
  for (std::size_t i = 0; i < digits.size(); ++i)
    values[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
  return values;
}

constexpr Values kUrlValues = values_of(kUrlDigits);
constexpr Values kPlainValues = values_of(kPlainDigits);

/// Without padding.
void append(std::string& out, std::string_view bytes, std::string_view digits) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : bytes) {
    bits = bits << 8U | static_cast<unsigned char>(c);
    held += 8;
    while (held >= 6) {
      held -= 6;
      out.push_back(digits[bits >> held & 63U]);
    }
  }
  if (held > 0) out.push_back(digits[bits << (6 - held) & 63U]);
}

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

std::string encode_base64(std::string_view bytes) {
  std::string text;
  append_base64(text, bytes);
  return text;
}

void append_base64(std::string& out, std::string_view bytes) {
  append(out, bytes, kPlainDigits);
  out.append((3 - bytes.size() % 3) % 3, '=');
}

std::optional<std::string> decode_base64(std::string_view text, Padding padding) {
  const std::size_t padded = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const bool must_be_whole = padded > 0 || padding == Padding::kRequired;
  if (must_be_whole && text.size() % 4 != 0) return std::nullopt;
  text.remove_suffix(padded);
  return decode(text, kPlainValues);
}

std::string encode_base64url(std::string_view bytes) {
  std::string text;
  append(text, bytes, kUrlDigits);
  return text;
}

std::optional<std::string> decode_base64url(std::string_view text) {
  return decode(text, kUrlValues);
}

}  // namespace sluice
