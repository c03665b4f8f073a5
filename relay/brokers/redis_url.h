// Where Redis is, as --broker says it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace sluice::relay {

struct RedisOptions {
  std::string host;  ///< a name or a numeric address; empty: `unix_path`
  std::uint16_t port = 6379;
  std::string unix_path;
  std::uint32_t db = 0;       ///< SELECTed; pub/sub itself knows no databases
  std::string user;           ///< empty: the default user
  std::string password_file;  ///< read at each connection; empty: no password
};

/// "redis://[user@]host[:port][/db]", "redis+unix://[user@]/path.sock[?db=N]"; the user name may be
/// percent-encoded. A password is refused, and never repeated in a message. rediss:// is refused by
/// name.
[[nodiscard]] Result<RedisOptions> parse_redis_url(std::string_view url);

/// The same as a URL, without secrets.
[[nodiscard]] std::string describe(const RedisOptions& options);

}  // namespace sluice::relay
