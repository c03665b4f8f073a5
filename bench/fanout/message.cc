#include "bench/fanout/message.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sluice::fanout {
namespace {

constexpr std::size_t kRunDigits = 8;
constexpr std::size_t kChannelDigits = 8;
constexpr std::size_t kSequenceDigits = 16;
constexpr std::size_t kSentDigits = 16;
constexpr std::size_t kHeadBytes = kRunDigits + kChannelDigits + kSequenceDigits + kSentDigits;
constexpr std::size_t kFillerBytes = kPayloadBytes - kHeadBytes;
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::uint64_t kPeriod = kAlphabet.size() / 3;
static_assert(kAlphabet.size() >= kPeriod + kFillerBytes);

void put_hex(char*& at, std::uint64_t value, std::size_t digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (std::size_t i = digits; i > 0; --i, value >>= 4U) at[i - 1] = kDigits[value & 15U];
  at += digits;
}

bool take_hex(std::string_view& text, std::size_t digits, std::uint64_t& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + digits, value, 16);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + digits) return false;
  text.remove_prefix(digits);
  return true;
}

}  // namespace

void write_message(const MessageHead& head, MessageText& out) {
  char* at = out.data();
  put_hex(at, head.run, kRunDigits);
  put_hex(at, head.channel, kChannelDigits);
  put_hex(at, head.sequence, kSequenceDigits);
  put_hex(at, head.sent_ns, kSentDigits);
  std::memcpy(at, kAlphabet.data() + (head.sequence + head.channel + head.sent_ns) % kPeriod,
              kFillerBytes);
}

std::optional<MessageHead> read_message(std::string_view text) {
  if (text.size() != kPayloadBytes) return std::nullopt;
  std::string_view rest = text;
  MessageHead head;
  std::uint64_t run = 0;
  std::uint64_t channel = 0;
  if (!take_hex(rest, kRunDigits, run) || !take_hex(rest, kChannelDigits, channel) ||
      !take_hex(rest, kSequenceDigits, head.sequence) || !take_hex(rest, kSentDigits, head.sent_ns))
    return std::nullopt;
  head.run = static_cast<std::uint32_t>(run);
  head.channel = static_cast<std::uint32_t>(channel);
  // Written again it must be the same: that covers the filler, and upper case digits.
  MessageText again;
  write_message(head, again);
  if (!std::equal(again.begin(), again.end(), text.begin())) return std::nullopt;
  return head;
}

}  // namespace sluice::fanout
