// Connection and subscription tokens: JSON Web Tokens (RFC 7519) whose claims are Centrifugo's.
// A key knows the one algorithm that it is for (RFC 8725 3.1): a token's own word on that counts
// for nothing. Pure but for reading key files. Nothing of a token or key stands in an error text.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace sluice {

inline constexpr std::size_t kTokenBytesMax = 16U << 10U;

/// How a server-side subscription overrides its channel's rules; unset: as they say.
struct TokenOverride {
  std::optional<bool> presence;
  std::optional<bool> join_leave;
  std::optional<bool> force_push_join_leave;
  std::optional<bool> force_recovery;
  std::optional<bool> force_positioning;
};

struct TokenSubscription {
  std::string info;  ///< JSON, or what b64info held
  std::string data;
  TokenOverride override;
};

struct ConnectionClaims {
  std::string user;  ///< `sub`; empty: anonymous
  /// Unix seconds, 0: never. Of `expire_at` where present (then the token may be valid for another
  /// time than the connection), else `exp`.
  std::int64_t expires_at = 0;
  std::string info;                                        ///< JSON; empty: none
  std::string meta;                                        ///< JSON, for hooks alone
  std::map<std::string, TokenSubscription> subscriptions;  ///< of `channels` and `subs`
};

struct SubscriptionClaims {
  std::string user;
  std::string channel;
  std::int64_t expires_at = 0;
  std::string info;
  TokenOverride override;
};

enum class TokenFault : std::uint8_t {
  kInvalid,  ///< forged, malformed, of a foreign key, not valid yet, for another audience
  kExpired,  ///< good, but too old: the client may fetch another
};

struct TokenFailure {
  TokenFault fault = TokenFault::kInvalid;
  const char* reason = "";  ///< static, for logs: "signature", "algorithm", "unknown key", …
};

struct TokenKeyOptions {
  std::string key_file{};   ///< lines `ALG[:KID] SECRET-OR-FILE`; see docs/TOKENS.md
  std::string jwks_file{};  ///< RFC 7517
  std::string audience{};   ///< must be in `aud`; empty: not looked at
  std::string issuer{};     ///< must be `iss`; empty: not looked at
};

class TokenKeys;  // common/tokens/keys.h

class TokenVerifier {
 public:
  TokenVerifier();
  ~TokenVerifier();
  TokenVerifier(const TokenVerifier&) = delete;
  TokenVerifier& operator=(const TokenVerifier&) = delete;

  /// Reads the files. An error names the file and what is wrong in it; the keys of before stay.
  [[nodiscard]] Result<void> load(const TokenKeyOptions& options);
  [[nodiscard]] bool has_keys() const;
  [[nodiscard]] std::size_t keys() const;
  /// Files with secrets that everybody on this machine may read: for the log.
  [[nodiscard]] std::vector<std::string> warnings() const;

  /// `now`: Unix seconds.
  [[nodiscard]] tl::expected<ConnectionClaims, TokenFailure> connection(std::string_view token,
                                                                        std::int64_t now) const;
  [[nodiscard]] tl::expected<SubscriptionClaims, TokenFailure> subscription(std::string_view token,
                                                                            std::int64_t now) const;

 private:
  std::unique_ptr<const TokenKeys> keys_;
  TokenKeyOptions options_;
};

}  // namespace sluice
