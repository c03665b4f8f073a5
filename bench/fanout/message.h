// What is published: printable text of a fixed size from which everything can be judged: which run,
// which channel, which number, when, and a filler that depends on the number. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::fanout {

inline constexpr std::size_t kPayloadBytes = 128;

struct MessageHead {
  std::uint32_t run = 0;       ///< no message of an earlier run counts
  std::uint32_t channel = 0;   ///< index
  std::uint64_t sequence = 0;  ///< per channel, from 1
  std::uint64_t sent_ns = 0;   ///< CLOCK_MONOTONIC
  friend bool operator==(const MessageHead&, const MessageHead&) = default;
};

using MessageText = std::array<char, kPayloadBytes>;

/// Letters and digits only: it stands inside JSON and in paths as well.
void write_message(const MessageHead& head, MessageText& out);
/// Nothing: not one of ours, to the last byte.
[[nodiscard]] std::optional<MessageHead> read_message(std::string_view text);

}  // namespace sluice::fanout
