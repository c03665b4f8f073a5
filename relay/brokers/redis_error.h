// What Redis' error answers mean to us, and how they are told to people.
#pragma once

#include <string>
#include <string_view>

namespace sluice::relay {

/// Why a connection ended.
struct RedisLoss {
  std::string reason;  ///< for people, no secrets
  bool wrong_role =
      false;  ///< it answers, but is not a master: its other connection is of no use either
};

enum class RedisErrorKind {
  kAuthentication,  ///< password missing or wrong
  kNotServing,      ///< loading, a replica, cut from its master: as good as not connected
  kNotPermitted,    ///< the user may not, or the server does not know the command
  kOther,
};
[[nodiscard]] RedisErrorKind classify_redis_error(std::string_view text);

/// One line for reasons and logs: bounded, no control characters.
[[nodiscard]] std::string printable(std::string_view text);

inline constexpr std::string_view kNotUnderstood = "an answer from Redis was not understood";

/// The reason to give when this answer ends a connection.
[[nodiscard]] std::string reason_of_error(std::string_view text);

}  // namespace sluice::relay
