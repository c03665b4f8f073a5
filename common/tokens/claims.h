// What a token claims, once its signature is known to be right. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/tokens/tokens.h"

namespace sluice {

/// A user's id; presence carries it.
inline constexpr std::size_t kTokenUserBytesMax = 255;
/// For `nbf`: whoever issues tokens may be ahead of us. `exp` is taken at its word.
inline constexpr std::int64_t kClockSkewSeconds = 5;

/// `reason` is for logs: nothing of the token.
[[nodiscard]] inline tl::unexpected<TokenFailure> invalid_token(const char* reason) {
  return tl::make_unexpected(TokenFailure{TokenFault::kInvalid, reason});
}

/// For whom and since when: `exp`, `nbf`, `iat`, `aud`, `iss`, as both kinds of tokens have them.
[[nodiscard]] tl::expected<void, TokenFailure> check_validity(const nlohmann::ordered_json& claims,
                                                              const TokenKeyOptions& options,
                                                              std::int64_t now);
[[nodiscard]] tl::expected<ConnectionClaims, TokenFailure> connection_claims(
    const nlohmann::ordered_json& claims, std::int64_t now);
[[nodiscard]] tl::expected<SubscriptionClaims, TokenFailure> subscription_claims(
    const nlohmann::ordered_json& claims, std::int64_t now);

}  // namespace sluice
