// Step 7 of a message's path: the scripts that Redis runs for history and presence (scripts/*.lua,
// in the program from its building on).
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace sluice::relay {

/// The numbers are places in a table: scripts/embed.cmake has the same order.
enum class RedisScript { kPublish, kPosition, kHistory, kRemove, kPresence };
inline constexpr std::size_t kRedisScripts = 5;
inline constexpr std::array<RedisScript, kRedisScripts> kAllRedisScripts{
    RedisScript::kPublish, RedisScript::kPosition, RedisScript::kHistory, RedisScript::kRemove,
    RedisScript::kPresence};

struct RedisScriptText {
  std::string_view name;    ///< for people
  std::string_view digest;  ///< for EVALSHA
  std::string_view text;
};
[[nodiscard]] const RedisScriptText& script_text(RedisScript script);

}  // namespace sluice::relay
