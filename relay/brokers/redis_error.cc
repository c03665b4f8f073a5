#include "relay/brokers/redis_error.h"

#include <algorithm>
#include <array>

#include "relay/brokers/redis_limits.h"

namespace sluice::relay {
namespace {

struct KnownError {
  std::string_view prefix;
  RedisErrorKind kind;
};

/// The texts without a code of their own are those of Redis before 6, and of servers without a
/// password.
constexpr std::array<KnownError, 16> kKnownErrors{{
    {"NOAUTH", RedisErrorKind::kAuthentication},
    {"WRONGPASS", RedisErrorKind::kAuthentication},
    {"ERR invalid password", RedisErrorKind::kAuthentication},
    {"ERR AUTH", RedisErrorKind::kAuthentication},
    {"ERR Client sent AUTH", RedisErrorKind::kAuthentication},
    {"ERR wrong number of arguments for 'auth'", RedisErrorKind::kAuthentication},
    {"ERR operation not permitted", RedisErrorKind::kAuthentication},
    {"LOADING", RedisErrorKind::kNotServing},
    {"READONLY", RedisErrorKind::kNotServing},
    {"MASTERDOWN", RedisErrorKind::kNotServing},
    {"NOMASTERLINK", RedisErrorKind::kNotServing},
    {"NOPERM", RedisErrorKind::kNotPermitted},
    {"ERR unknown command", RedisErrorKind::kNotPermitted},
    {"ERR unknown subcommand", RedisErrorKind::kNotPermitted},
    {"ERR Unknown subcommand", RedisErrorKind::kNotPermitted},
    {"ERR CLIENT subcommand", RedisErrorKind::kNotPermitted},
}};

}  // namespace

RedisErrorKind classify_redis_error(std::string_view text) {
  for (const KnownError& known : kKnownErrors) {
    if (text.starts_with(known.prefix)) return known.kind;
  }
  return RedisErrorKind::kOther;
}

std::string printable(std::string_view text) {
  std::string out(text.substr(0, kRedisTextBytesMax));
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  if (text.size() > kRedisTextBytesMax) out += "...";
  return out;
}

std::string reason_of_error(std::string_view text) {
  if (classify_redis_error(text) == RedisErrorKind::kAuthentication) {
    return "authentication failed (check --broker-password-file)";
  }
  return "Redis says: " + printable(text);
}

}  // namespace sluice::relay
