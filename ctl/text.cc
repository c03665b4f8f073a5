#include "ctl/text.h"

#include <algorithm>
#include <array>
#include <clocale>
#include <cmath>
#include <cstdio>
#include <cwchar>

#include "common/utf8.h"

namespace sluice::ctl {
namespace {

constexpr char32_t kNoCharacter = 0xFFFFFFFF;

struct Character {
  char32_t code = kNoCharacter;
  std::size_t bytes = 1;
};

/// The one at the front; kNoCharacter: its first byte is wrong.
Character first_of(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (bytes > text.size()) return {};
  const auto* raw = reinterpret_cast<const std::uint8_t*>(text.data());
  if (!valid_utf8({raw, bytes})) return {};
  char32_t code = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) code = code << 6U | (raw[i] & 0x3FU);
  return {code, bytes};
}

/// What moves, hides or turns round its neighbours instead of showing itself.
bool changes_others(char32_t c) {
  return (c >= 0x80 && c < 0xA0) || c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE0FFF);
}

std::string formatted(const char* format, double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string two_parts(std::uint64_t large, const char* large_unit, std::uint64_t small,
                      const char* small_unit) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%llu%s %02llu%s", static_cast<unsigned long long>(large),
                large_unit, static_cast<unsigned long long>(small), small_unit);
  return text.data();
}

void append_escaped(std::string& out, unsigned char byte) {
  switch (byte) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      std::array<char, 8> text{};
      std::snprintf(text.data(), text.size(), "\\x%02x", byte);
      out += text.data();
  }
}

std::size_t columns_of(char32_t code) {
  // Whatever the user's locale: what we show is UTF-8.
  static const bool ready = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;
  const int columns = ready ? ::wcwidth(static_cast<wchar_t>(code)) : 1;
  return columns < 0 ? 1 : static_cast<std::size_t>(columns);
}

}  // namespace

std::string visible(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Character c = first_of(bytes);
    if (c.code == kNoCharacter || c.code < 0x20 || c.code == 0x7F) {
      append_escaped(out, static_cast<unsigned char>(bytes.front()));
    } else if (changes_others(c.code)) {
      std::array<char, 16> text{};
      std::snprintf(text.data(), text.size(), "\\u{%x}", static_cast<unsigned>(c.code));
      out += text.data();
    } else {
      out += bytes.substr(0, c.bytes);
    }
    bytes.remove_prefix(c.bytes);
  }
  return out;
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character c = first_of(text);
    columns += columns_of(c.code);
    text.remove_prefix(c.bytes);
  }
  return columns;
}

std::string cut_to(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t used = 0;
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const Character c = first_of(text.substr(bytes));
    const std::size_t more = columns_of(c.code);
    if (used + more > columns - 1) break;
    used += more;
    bytes += c.bytes;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

std::string bytes_text(std::uint64_t bytes) {
  static constexpr std::array<const char*, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be shown as 1024.
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  const bool whole = value >= 99.95 || std::fabs(value - std::round(value)) < 0.05;
  return formatted(whole ? "%.0f" : "%.1f", value) + " " + kUnits[unit];
}

std::string count_text(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string seconds_text(double seconds) {
  const auto s = static_cast<std::uint64_t>(std::clamp(seconds, 0.0, 1e15));
  if (s < 60) return std::to_string(s) + "s";
  if (s < 3600) return two_parts(s / 60, "m", s % 60, "s");
  if (s < 86400) return two_parts(s / 3600, "h", s / 60 % 60, "m");
  return two_parts(s / 86400, "d", s / 3600 % 24, "h");
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return count_text(count) + " " + std::string(count == 1 ? one : many);
}

std::string styled(std::string_view text, Style style, bool colours) {
  static constexpr std::array<const char*, 6> kCodes = {"", "2", "1", "32", "33", "31"};
  if (!colours || style == Style::kPlain) return std::string(text);
  std::string out = "\x1b[";
  out.append(kCodes[static_cast<std::size_t>(style)]).append("m").append(text).append("\x1b[0m");
  return out;
}

}  // namespace sluice::ctl
