#include "bench/restart/message.h"

#include <charconv>

#include "common/check.h"

namespace sluice::restart {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz012345678";
/// A prime, and no divisor of anything a socket buffer is made of: a piece that stands elsewhere
/// than it should does not fit.
constexpr std::size_t kPeriod = 61;
static_assert(kAlphabet.size() == kPeriod);

/// The filler of every message is a piece of this.
const std::string& pattern() {
  static const std::string text = [] {
    std::string made;
    made.reserve(kMessageBytesMax + kPeriod);
    while (made.size() < kMessageBytesMax + kPeriod) made += kAlphabet;
    return made;
  }();
  return text;
}

std::string_view filler(const Message& message, std::size_t bytes) {
  const std::uint64_t begin =
      (message.serial * 31ULL + message.source * 7ULL + message.sent_ns + bytes) % kPeriod;
  return std::string_view(pattern()).substr(begin, bytes - kHeadBytes);
}

void put_hex(std::string& out, std::uint64_t value, unsigned digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (unsigned i = digits; i-- > 0;) out += kDigits[(value >> (i * 4U)) & 15U];
}

/// Lower case alone: what is written again must be the same.
bool take_hex(std::string_view& text, std::size_t digits, std::uint64_t& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + digits, value, 16);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + digits) return false;
  if (text.substr(0, digits).find_first_of("ABCDEF") != std::string_view::npos) return false;
  text.remove_prefix(digits);
  return true;
}

}  // namespace

std::string to_text(const Message& message, std::size_t bytes) {
  CHECK(bytes >= kHeadBytes && bytes <= kMessageBytesMax);
  std::string text = "M";
  text.reserve(bytes);
  put_hex(text, message.source, 8);
  put_hex(text, message.serial, 8);
  put_hex(text, bytes, 8);
  put_hex(text, message.sent_ns, 16);
  return text.append(filler(message, bytes));
}

std::optional<Message> parse_message(std::string_view text) {
  if (text.size() < kHeadBytes || text.size() > kMessageBytesMax || text[0] != 'M')
    return std::nullopt;
  std::string_view rest = text.substr(1);
  std::uint64_t source = 0;
  std::uint64_t serial = 0;
  std::uint64_t bytes = 0;
  Message message;
  if (!take_hex(rest, 8, source) || !take_hex(rest, 8, serial) || !take_hex(rest, 8, bytes) ||
      !take_hex(rest, 16, message.sent_ns) || bytes != text.size()) {
    return std::nullopt;
  }
  message.source = static_cast<std::uint32_t>(source);
  message.serial = static_cast<std::uint32_t>(serial);
  if (rest != filler(message, text.size())) return std::nullopt;
  return message;
}

std::size_t down_bytes(std::uint32_t serial) {
  constexpr std::uint32_t kLargeEvery = 60;
  constexpr std::uint32_t kMiddleEvery = 13;
  if (serial % kLargeEvery == 0) return 16U << 10U;
  if (serial % kMiddleEvery == 0) return 2000 + serial % 1000;
  return 100 + serial * 37ULL % 300;
}

}  // namespace sluice::restart
