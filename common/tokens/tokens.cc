#include "common/tokens/tokens.h"

#include "common/base64.h"
#include "common/tokens/claims.h"
#include "common/tokens/keys.h"
#include "common/tokens/signature.h"
#include "common/tokens/token_text.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

struct Header {
  TokenAlgorithm algorithm{};
  std::string key_id;  ///< empty: none
};

tl::expected<Header, TokenFailure> read_header(std::string_view part) {
  const auto json = decode_token_part(part);
  if (!json) return invalid_token("malformed");
  // What must be understood, and is not: `crit` names it (RFC 7515 4.1.11).
  if (json->contains("crit")) return invalid_token("critical header");
  const auto text = [&json](const char* name) -> const std::string* {
    const auto found = json->find(name);
    return found == json->end() ? nullptr : found->get_ptr<const std::string*>();
  };
  const std::string* algorithm = text("alg");
  const auto known = algorithm == nullptr ? std::nullopt : find_algorithm(*algorithm);
  if (!known) return invalid_token("algorithm");
  Header header{*known, {}};
  if (json->contains("kid")) {
    const std::string* id = text("kid");
    if (id == nullptr || id->empty() || id->size() > kKeyIdBytesMax)
      return invalid_token("unknown key");
    header.key_id = *id;
  }
  return header;
}

/// The claims of a token that one of the keys has signed.
tl::expected<Json, TokenFailure> verified_claims(std::string_view token, const TokenKeys* keys) {
  if (token.size() > kTokenBytesMax) return invalid_token("too long");
  const auto parts = split_token(token);
  if (!parts || parts->signature.empty() || !decode_base64url(parts->signature))
    return invalid_token("malformed");
  const auto header = read_header(parts->header);
  if (!header) return tl::make_unexpected(header.error());
  if (keys == nullptr) return invalid_token("no keys");
  bool same_id = false;
  bool same_algorithm = false;
  for (const TokenKey& key : keys->all()) {
    if (key.id != header->key_id) continue;
    same_id = true;
    if (key.algorithm != header->algorithm) continue;
    same_algorithm = true;
    if (!verify_signature(token, *parts, key)) continue;
    auto claims = decode_token_part(parts->payload);
    if (!claims) return invalid_token("malformed");
    return std::move(*claims);
  }
  if (!same_id) return invalid_token("unknown key");
  return invalid_token(same_algorithm ? "signature" : "algorithm");
}

}  // namespace

TokenVerifier::TokenVerifier() = default;
TokenVerifier::~TokenVerifier() = default;

Result<void> TokenVerifier::load(const TokenKeyOptions& options) {
  auto keys = TokenKeys::read(options);
  if (!keys) return tl::make_unexpected(keys.error());
  keys_ = std::make_unique<const TokenKeys>(std::move(*keys));
  options_ = options;
  return {};
}

bool TokenVerifier::has_keys() const {
  return keys_ && !keys_->all().empty();
}

std::size_t TokenVerifier::keys() const {
  return keys_ ? keys_->all().size() : 0;
}

std::vector<std::string> TokenVerifier::warnings() const {
  return keys_ ? keys_->warnings() : std::vector<std::string>();
}

tl::expected<ConnectionClaims, TokenFailure> TokenVerifier::connection(std::string_view token,
                                                                       std::int64_t now) const {
  const auto claims = verified_claims(token, keys_.get());
  if (!claims) return tl::make_unexpected(claims.error());
  if (auto valid = check_validity(*claims, options_, now); !valid)
    return tl::make_unexpected(valid.error());
  return connection_claims(*claims, now);
}

tl::expected<SubscriptionClaims, TokenFailure> TokenVerifier::subscription(std::string_view token,
                                                                           std::int64_t now) const {
  const auto claims = verified_claims(token, keys_.get());
  if (!claims) return tl::make_unexpected(claims.error());
  if (auto valid = check_validity(*claims, options_, now); !valid)
    return tl::make_unexpected(valid.error());
  return subscription_claims(*claims, now);
}

}  // namespace sluice
