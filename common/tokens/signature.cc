#include "common/tokens/signature.h"

#include <jwt.h>
#include <openssl/err.h>

#include <cstdlib>
#include <memory>

#include "common/base64.h"
#include "common/tokens/strict_json.h"

namespace sluice {
namespace {

struct FreeToken {
  void operator()(jwt_t* token) const { jwt_free(token); }
};
using Token = std::unique_ptr<jwt_t, FreeToken>;

struct FreeText {
  void operator()(char* text) const { std::free(text); }
};

jwt_alg_t library_algorithm(TokenAlgorithm algorithm) {
  switch (algorithm) {
    case TokenAlgorithm::kHs256:
      return JWT_ALG_HS256;
    case TokenAlgorithm::kHs384:
      return JWT_ALG_HS384;
    case TokenAlgorithm::kHs512:
      return JWT_ALG_HS512;
    case TokenAlgorithm::kRs256:
      return JWT_ALG_RS256;
    case TokenAlgorithm::kRs384:
      return JWT_ALG_RS384;
    case TokenAlgorithm::kRs512:
      return JWT_ALG_RS512;
    case TokenAlgorithm::kEs256:
      return JWT_ALG_ES256;
    case TokenAlgorithm::kEs384:
      return JWT_ALG_ES384;
    case TokenAlgorithm::kEs512:
      return JWT_ALG_ES512;
    case TokenAlgorithm::kEdDsa:
      break;
  }
  return JWT_ALG_NONE;
}

const unsigned char* as_unsigned(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool verify_by_library(std::string_view token, const TokenKey& key) {
  const std::string& material = is_symmetric(key.algorithm) ? key.secret.get() : key.public_pem;
  // No key is no check, as the library sees it.
  if (material.empty()) return false;
  jwt_t* decoded = nullptr;
  const int result = jwt_decode(&decoded, std::string(token).c_str(), as_unsigned(material),
                                static_cast<int>(material.size()));
  const Token owned(decoded);
  ERR_clear_error();
  // The library goes by the token's own word about its algorithm.
  return result == 0 && owned && jwt_get_alg(decoded) == library_algorithm(key.algorithm);
}

Result<std::string> sign_ed25519(const std::string& claims, const TokenKey& key) {
  nlohmann::ordered_json header = {{"alg", to_string(key.algorithm)}};
  if (!key.id.empty()) header["kid"] = key.id;
  header["typ"] = "JWT";
  std::string token = encode_base64url(to_text(header)) + "." + encode_base64url(claims);
  const std::string signature = key.key->sign_ed25519(token);
  if (signature.empty()) return fail(ErrorCode::kSystem, "the key can't sign");
  return token + "." + encode_base64url(signature);
}

Result<std::string> sign_by_library(const std::string& claims, const TokenKey& key) {
  const SecretBytes pem(key.key ? key.key->private_pem() : std::string());
  const std::string& material = is_symmetric(key.algorithm) ? key.secret.get() : pem.get();
  jwt_t* made = nullptr;
  if (jwt_new(&made) != 0) return fail(ErrorCode::kSystem, "out of memory");
  const Token token(made);
  const bool ready = jwt_add_grants_json(made, claims.c_str()) == 0 &&
                     (key.id.empty() || jwt_add_header(made, "kid", key.id.c_str()) == 0) &&
                     jwt_set_alg(made, library_algorithm(key.algorithm), as_unsigned(material),
                                 static_cast<int>(material.size())) == 0;
  const std::unique_ptr<char, FreeText> text(ready ? jwt_encode_str(made) : nullptr);
  ERR_clear_error();
  if (!text) return fail(ErrorCode::kSystem, "the key can't sign");
  return std::string(text.get());
}

}  // namespace

bool verify_signature(std::string_view token, const TokenParts& parts, const TokenKey& key) {
  if (key.algorithm != TokenAlgorithm::kEdDsa) return verify_by_library(token, key);
  const auto signature = decode_base64url(parts.signature);
  return signature && key.key && key.key->verify_ed25519(parts.signed_part, *signature);
}

Result<std::string> sign_token(const std::string& claims, const TokenKey& key) {
  if (!key.can_sign()) return fail(ErrorCode::kInvalid, "the key is a public one: it can't sign");
  if (key.algorithm == TokenAlgorithm::kEdDsa) return sign_ed25519(claims, key);
  return sign_by_library(claims, key);
}

}  // namespace sluice
