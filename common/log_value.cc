#include "common/log_value.h"

#include <algorithm>

namespace sluice {
namespace {

[[nodiscard]] bool is_plain(char c) {
  constexpr std::string_view kOther = "._:/@+*,~%-";
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         kOther.find(c) != std::string_view::npos;
}

void append_escaped(std::string& out, char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
  } else if (byte >= 0x20 && byte < 0x7f) {
    out += c;
  } else {
    out += "\\x";
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0xfU];
  }
}

}  // namespace

std::string log_value(std::string_view text) {
  const bool whole = text.size() <= kLogValueBytesMax;
  if (whole && !text.empty() && std::all_of(text.begin(), text.end(), is_plain)) {
    return std::string(text);
  }
  std::string out = "\"";
  for (const char c : text.substr(0, kLogValueBytesMax)) append_escaped(out, c);
  if (!whole) out += "...";
  return out + "\"";
}

}  // namespace sluice
