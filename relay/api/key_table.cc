#include "relay/api/key_table.h"

#include <algorithm>

#include "common/small_file.h"

namespace sluice::relay::api {
namespace {

std::string_view trim_line(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

bool all_printable(std::string_view key) {
  return std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

bool is_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-").find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= kKeyNameBytesMax &&
         std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

KeyTable::Padded KeyTable::padded(std::string_view key) {
  Padded bytes{};
  std::copy_n(key.begin(), std::min(key.size(), bytes.size()), bytes.begin());
  return bytes;
}

Result<void> KeyTable::add(std::string_view line, std::size_t number) {
  const auto wrong = [number](const std::string& what) {
    return fail(ErrorCode::kInvalid, "line " + std::to_string(number) + ": " + what);
  };
  const std::size_t colon = line.find(':');
  const std::string_view name =
      colon == std::string_view::npos ? std::string_view() : trim_line(line.substr(0, colon));
  const std::string_view key =
      colon == std::string_view::npos ? line : trim_line(line.substr(colon + 1));
  if (colon != std::string_view::npos && !is_name(name))
    return wrong("a name is 1 to 64 of A-Z a-z 0-9 . _ -");
  if (key.size() < kKeyBytesMin || key.size() > kKeyBytesMax || !all_printable(key))
    return wrong("a key is " + std::to_string(kKeyBytesMin) + " to " +
                 std::to_string(kKeyBytesMax) + " printable ASCII characters without spaces");
  if (keys_.size() == kKeysMax) return wrong("more than " + std::to_string(kKeysMax) + " keys");
  keys_.push_back({std::string(name), padded(key)});
  return {};
}

Result<KeyTable> KeyTable::parse(std::string_view text) {
  KeyTable table;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim_line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    if (auto added = table.add(line, number); !added) return tl::make_unexpected(added.error());
  }
  if (table.keys_.empty()) return fail(ErrorCode::kInvalid, "there is no key in it");
  return table;
}

Result<KeyTable> KeyTable::read(const std::string& path) {
  const auto wrong = [&path](const Error& error) {
    return fail(error.code, path + ": " + error.message);
  };
  const auto text = read_small_file(path, kKeyFileBytesMax);
  if (!text) return wrong(text.error());
  auto table = parse(*text);
  if (!table) return wrong(table.error());
  return table;
}

bool KeyTable::knows(std::string_view key) const {
  if (key.size() < kKeyBytesMin || key.size() > kKeyBytesMax || !all_printable(key)) return false;
  const Padded asked = padded(key);
  // No way out of the loops before their ends: time tells nothing of how much was right.
  unsigned found = 0;
  for (const Key& known : keys_) {
    volatile unsigned char difference = 0;
    for (std::size_t i = 0; i < kKeyBytesMax; ++i)
      difference = static_cast<unsigned char>(difference | (known.bytes[i] ^ asked[i]));
    found |= difference == 0 ? 1U : 0U;
  }
  return found != 0;
}

}  // namespace sluice::relay::api
