#include "bench/fanout/dialects/json_text.h"

#include <charconv>
#include <cstdint>

namespace sluice::fanout {
namespace {

constexpr std::size_t kHexDigits = 4;
constexpr std::uint32_t kHighFrom = 0xD800;
constexpr std::uint32_t kLowFrom = 0xDC00;
constexpr std::uint32_t kLowEnd = 0xE000;
constexpr std::uint32_t kBeyondBasic = 0x10000;

void append_utf8(std::string& out, std::uint32_t code) {
  const auto tail = [&](unsigned shift) {
    out.push_back(static_cast<char>(0x80U | (code >> shift & 0x3FU)));
  };
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xC0U | code >> 6U));
    tail(0);
  } else if (code < kBeyondBasic) {
    out.push_back(static_cast<char>(0xE0U | code >> 12U));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xF0U | code >> 18U));
    tail(12);
    tail(6);
    tail(0);
  }
}

/// Four hex digits at the front, taken off.
std::optional<std::uint32_t> take_hex(std::string_view& rest) {
  if (rest.size() < kHexDigits) return std::nullopt;
  std::uint32_t value = 0;
  const char* end = rest.data() + kHexDigits;
  const auto [stopped, error] = std::from_chars(rest.data(), end, value, 16);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  rest.remove_prefix(kHexDigits);
  return value;
}

/// Behind "\u"; what is beyond the basic plane comes as two of them.
bool take_code(std::string_view& rest, std::string& out) {
  auto code = take_hex(rest);
  if (!code || (*code >= kLowFrom && *code < kLowEnd)) return false;
  if (*code >= kHighFrom && *code < kLowFrom) {
    if (!rest.starts_with("\\u")) return false;
    rest.remove_prefix(2);
    const auto low = take_hex(rest);
    if (!low || *low < kLowFrom || *low >= kLowEnd) return false;
    code = kBeyondBasic + ((*code - kHighFrom) << 10U) + (*low - kLowFrom);
  }
  append_utf8(out, *code);
  return true;
}

/// Behind a backslash.
bool take_escape(std::string_view& rest, std::string& out) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  if (rest.empty()) return false;
  const char name = rest.front();
  rest.remove_prefix(1);
  if (name == 'u') return take_code(rest, out);
  const std::size_t at = kNames.find(name);
  if (at == std::string_view::npos) return false;
  out.push_back(kMeant[at]);
  return true;
}

}  // namespace

std::optional<std::string_view> json_text(std::string_view inside, std::string& scratch) {
  std::size_t escape = inside.find('\\');
  if (escape == std::string_view::npos) return inside;
  scratch.clear();
  while (escape != std::string_view::npos) {
    scratch.append(inside.substr(0, escape));
    inside.remove_prefix(escape + 1);
    if (!take_escape(inside, scratch)) return std::nullopt;
    escape = inside.find('\\');
  }
  scratch.append(inside);
  return scratch;
}

}  // namespace sluice::fanout
