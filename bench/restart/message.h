// What travels in the restart bench, both ways: "M SOURCE SERIAL SIZE SENT FILL", printable, and
// the filler follows from the rest, so that every byte can be judged by itself. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::restart {

struct Message {
  std::uint32_t source = 0;   ///< kDownSource, or a speaker's number from 1
  std::uint32_t serial = 0;   ///< per source, from 1
  std::uint64_t sent_ns = 0;  ///< CLOCK_MONOTONIC
  friend bool operator==(const Message&, const Message&) = default;
};

/// The one publisher of what goes down to everybody.
inline constexpr std::uint32_t kDownSource = 0;
inline constexpr std::size_t kHeadBytes = 41;
/// Below the gateways' --max-message-size.
inline constexpr std::size_t kMessageBytesMax = 60U << 10U;

/// `bytes` long, kHeadBytes to kMessageBytesMax.
[[nodiscard]] std::string to_text(const Message& message, std::size_t bytes);
/// Nothing: not one of ours, to the last byte.
[[nodiscard]] std::optional<Message> parse_message(std::string_view text);

/// How long the message of this serial is that goes down: mostly some hundred bytes, now and then
/// some thousand, seldom 16 KiB.
[[nodiscard]] std::size_t down_bytes(std::uint32_t serial);

}  // namespace sluice::restart
