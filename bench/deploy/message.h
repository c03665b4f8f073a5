// What the clients of the scenario say to each other: "d ROOM SENDER NUMBER FILL". Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::bench {

struct Message {
  std::uint32_t room = 0;
  std::uint32_t sender = 0;
  std::uint32_t number = 0;  ///< +1 per message of its sender, from 1

  [[nodiscard]] std::uint64_t key() const {
    return static_cast<std::uint64_t>(sender) << 32U | number;
  }
  friend bool operator==(const Message&, const Message&) = default;
};

/// About `bytes` long.
[[nodiscard]] std::string to_text(const Message& message, std::size_t bytes);
[[nodiscard]] std::optional<Message> parse_message(std::string_view text);

/// "r7", the channel of room 7.
[[nodiscard]] std::string channel_of(std::uint32_t room);

}  // namespace sluice::bench
