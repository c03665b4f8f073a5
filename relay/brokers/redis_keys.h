// What channels are called in Redis (ARCHITECTURE.md, History in Redis). A channel without history
// and publisher is its own name, so that any Redis client takes part; all else begins with
// "sluice:", and the keys of channel X share the hash tag {X}. A channel with history is heard by
// its own name too. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "proto/limits.h"

namespace sluice::relay {

/// Longest name that redis_channel() makes.
inline constexpr std::size_t kRedisNameBytesMax = proto::kChannelNameBytesMax + 32;

/// Where a channel of the link is heard and published. `envelope`: what travels there is a
/// redis_envelope.h; internal channels (proto/names.h) have none. No two channels have one name.
[[nodiscard]] std::string redis_channel(std::string_view channel, bool envelope);

struct HeardChannel {
  /// Empty: the name is none that redis_channel() makes. A view of the name where the channel
  /// stands in it, else of `text`.
  std::string_view name{};
  bool envelope = false;
};
/// The way back. `text` is used where the name has to be put together.
[[nodiscard]] HeardChannel heard_channel(std::string_view redis_name, std::string& text);

/// Position and stream, in the order in which the scripts take them.
[[nodiscard]] std::array<std::string, 2> history_keys(std::string_view channel);
/// Clients, users, expiry.
[[nodiscard]] std::array<std::string, 3> presence_keys(std::string_view channel);

}  // namespace sluice::relay
