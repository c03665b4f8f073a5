// A token's signature: HS, RS and ES by the JWT library (libjwt), EdDSA by OpenSSL. What a token
// says of itself has been checked before: it is of the key's algorithm. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "common/tokens/keys.h"

namespace sluice {

/// A token's three parts, as they stand in it.
struct TokenParts {
  std::string_view signed_part;  ///< header and payload, with the dot between them
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
};

[[nodiscard]] bool verify_signature(std::string_view token, const TokenParts& parts,
                                    const TokenKey& key);
/// A token with this JSON as its claims. The key is one that can sign.
[[nodiscard]] Result<std::string> sign_token(const std::string& claims, const TokenKey& key);

}  // namespace sluice
