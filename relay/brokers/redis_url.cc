#include "relay/brokers/redis_url.h"

#include <sys/un.h>

#include <charconv>
#include <optional>

namespace sluice::relay {
namespace {

constexpr std::string_view kTcp = "redis://";
constexpr std::string_view kUnix = "redis+unix://";
constexpr std::size_t kUnixPathBytesMax = sizeof(sockaddr_un{}.sun_path) - 1;
constexpr std::size_t kHostBytesMax = 253;

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool plain_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const bool complete = i + 2 < text.size();
    const int high = complete ? hex_digit(text[i + 1]) : -1;
    const int low = complete ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return fail(ErrorCode::kInvalid, "the user name has a % without two hexadecimal digits");
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (plain_character(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

Result<void> set_user(std::string_view info, RedisOptions& options) {
  if (info.find_first_of(":/") != std::string_view::npos) {
    return fail(ErrorCode::kInvalid,
                "a password does not belong into the URL, where others can read it: put it into a "
                "file and name that with --broker-password-file");
  }
  Result<std::string> user = percent_decode(info);
  if (!user) return tl::make_unexpected(user.error());
  if (user->empty()) return fail(ErrorCode::kInvalid, "the user name before @ is empty");
  options.user = *std::move(user);
  return {};
}

Result<void> set_db(std::string_view text, RedisOptions& options) {
  const auto db = parse_number<std::uint32_t>(text);
  if (!db) return fail(ErrorCode::kInvalid, "the database after the address must be a number");
  options.db = *db;
  return {};
}

struct HostAndPort {
  std::string_view host;
  std::optional<std::string_view> port;
};

Result<HostAndPort> split_authority(std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) {
      return fail(ErrorCode::kInvalid, "an IPv6 address ends with ]");
    }
    HostAndPort out{authority.substr(1, end - 1), std::nullopt};
    const std::string_view rest = authority.substr(end + 1);
    if (rest.starts_with(':')) {
      out.port = rest.substr(1);
    } else if (!rest.empty()) {
      return fail(ErrorCode::kInvalid, "after ] comes :port");
    }
    return out;
  }
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return HostAndPort{authority, std::nullopt};
  HostAndPort out{authority.substr(0, colon), authority.substr(colon + 1)};
  if (out.host.find(':') != std::string_view::npos) {
    return fail(ErrorCode::kInvalid, "an IPv6 address stands in brackets: redis://[::1]:6379");
  }
  return out;
}

Result<void> set_host(std::string_view authority, RedisOptions& options) {
  const Result<HostAndPort> parts = split_authority(authority);
  if (!parts) return tl::make_unexpected(parts.error());
  const std::string_view host = parts->host;
  if (host.empty()) return fail(ErrorCode::kInvalid, "a host is missing: redis://host:6379");
  if (host.size() > kHostBytesMax) return fail(ErrorCode::kInvalid, "the host name is too long");
  for (const char c : host) {
    if (!plain_character(c) && c != ':' && c != '%') {
      return fail(ErrorCode::kInvalid, "the host has a character that no host name has");
    }
  }
  if (parts->port) {
    const auto number = parse_number<std::uint16_t>(*parts->port);
    if (!number || *number == 0) return fail(ErrorCode::kInvalid, "the port must be 1 to 65535");
    options.port = *number;
  }
  options.host = host;
  return {};
}

Result<RedisOptions> parse_tcp(std::string_view rest) {
  RedisOptions options;
  // No later part has an @, but a password may have anything.
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    if (auto done = set_user(rest.substr(0, at), options); !done) {
      return tl::make_unexpected(done.error());
    }
    rest.remove_prefix(at + 1);
  }
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view db = rest.substr(slash + 1);
    if (!db.empty()) {
      if (auto done = set_db(db, options); !done) return tl::make_unexpected(done.error());
    }
    rest = rest.substr(0, slash);
  }
  if (auto done = set_host(rest, options); !done) return tl::make_unexpected(done.error());
  return options;
}

Result<RedisOptions> parse_unix(std::string_view rest) {
  RedisOptions options;
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  if (authority.ends_with('@')) {
    authority.remove_suffix(1);
    if (auto done = set_user(authority, options); !done) return tl::make_unexpected(done.error());
    authority = {};
  }
  if (slash == std::string_view::npos || !authority.empty()) {
    return fail(ErrorCode::kInvalid,
                "the socket needs an absolute path: redis+unix:///run/redis/redis.sock");
  }
  std::string_view path = rest.substr(slash);
  if (const std::size_t query = path.find('?'); query != std::string_view::npos) {
    const std::string_view parameter = path.substr(query + 1);
    if (!parameter.starts_with("db=")) {
      return fail(ErrorCode::kInvalid, "the only parameter is ?db=N");
    }
    if (auto done = set_db(parameter.substr(3), options); !done) {
      return tl::make_unexpected(done.error());
    }
    path = path.substr(0, query);
  }
  if (path.size() < 2 || path.size() > kUnixPathBytesMax) {
    return fail(ErrorCode::kInvalid, "the path of a Unix socket has at most " +
                                         std::to_string(kUnixPathBytesMax) + " bytes");
  }
  options.unix_path = path;
  return options;
}

}  // namespace

Result<RedisOptions> parse_redis_url(std::string_view url) {
  if (url.starts_with("rediss://") || url.starts_with("rediss+unix://")) {
    return fail(ErrorCode::kInvalid,
                "rediss:// is refused: TLS to Redis is not supported yet; use redis:// on a "
                "private network or through a TLS tunnel on this host");
  }
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') {
      return fail(ErrorCode::kInvalid, "the broker's URL has a space or a control character");
    }
  }
  if (url.starts_with(kTcp)) return parse_tcp(url.substr(kTcp.size()));
  if (url.starts_with(kUnix)) return parse_unix(url.substr(kUnix.size()));
  return fail(ErrorCode::kInvalid,
              "not a broker: use memory:, redis://[user@]host[:port][/db] or "
              "redis+unix:///path.sock");
}

std::string describe(const RedisOptions& options) {
  const std::string user = options.user.empty() ? "" : percent_encode(options.user) + "@";
  if (options.host.empty()) {
    const std::string db = options.db == 0 ? "" : "?db=" + std::to_string(options.db);
    return std::string(kUnix) + user + options.unix_path + db;
  }
  const bool brackets = options.host.find(':') != std::string::npos;
  const std::string host = brackets ? "[" + options.host + "]" : options.host;
  return std::string(kTcp) + user + host + ":" + std::to_string(options.port) + "/" +
         std::to_string(options.db);
}

}  // namespace sluice::relay
