// The keys of a JSON Web Key Set (RFC 7517). What is not for verifying signatures that we know is
// skipped, as the RFC has it; what is, and is wrong, is a fault.
#include <algorithm>

#include "common/base64.h"
#include "common/tokens/keys.h"
#include "common/tokens/strict_json.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

/// A member that is text; null: it is not there, or something else.
const std::string* text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get_ptr<const std::string*>() : nullptr;
}

bool is_text(const Json& json, const char* name, std::string_view value) {
  const std::string* text = text_of(json, name);
  return text != nullptr && *text == value;
}

/// A member in base64url; empty: it is not there, or wrong.
std::string bytes_of(const Json& json, const char* name) {
  const std::string* text = text_of(json, name);
  return text == nullptr ? std::string() : decode_base64url(*text).value_or("");
}

bool verifies(const Json& json) {
  if (json.contains("use") && !is_text(json, "use", "sig")) return false;
  const auto operations = json.find("key_ops");
  if (operations == json.end()) return true;
  return operations->is_array() &&
         std::any_of(operations->begin(), operations->end(),
                     [](const Json& one) { return one == "verify" || one == "sign"; });
}

/// What the key is for: by its `alg`; without one a curve says enough, and RSA is RS256, as
/// everybody has it who leaves it out.
std::optional<TokenAlgorithm> algorithm_of(const Json& json) {
  if (json.contains("alg")) {
    const std::string* name = text_of(json, "alg");
    // RFC 9864 calls EdDSA by its curve.
    if (name != nullptr && *name == "Ed25519") return TokenAlgorithm::kEdDsa;
    return name == nullptr ? std::nullopt : find_algorithm(*name);
  }
  if (is_text(json, "kty", "RSA")) return TokenAlgorithm::kRs256;
  if (is_text(json, "crv", "P-256")) return TokenAlgorithm::kEs256;
  if (is_text(json, "crv", "P-384")) return TokenAlgorithm::kEs384;
  if (is_text(json, "crv", "P-521")) return TokenAlgorithm::kEs512;
  if (is_text(json, "crv", "Ed25519")) return TokenAlgorithm::kEdDsa;
  return std::nullopt;
}

Result<EvpKey> point_of(const Json& json) {
  const std::string x = bytes_of(json, "x");
  const std::string y = bytes_of(json, "y");
  if (is_text(json, "crv", "P-256")) return EvpKey::from_point(EvpKind::kP256, x, y);
  if (is_text(json, "crv", "P-384")) return EvpKey::from_point(EvpKind::kP384, x, y);
  if (is_text(json, "crv", "P-521")) return EvpKey::from_point(EvpKind::kP521, x, y);
  return fail(ErrorCode::kInvalid, "its crv is none of P-256, P-384 and P-521");
}

Result<EvpKey> public_of(const Json& json) {
  if (is_text(json, "kty", "RSA"))
    return EvpKey::from_rsa(bytes_of(json, "n"), bytes_of(json, "e"));
  if (is_text(json, "kty", "EC")) return point_of(json);
  if (!is_text(json, "crv", "Ed25519")) return fail(ErrorCode::kInvalid, "its crv is not Ed25519");
  return EvpKey::from_ed25519(bytes_of(json, "x"));
}

bool known_type(const Json& json) {
  for (const char* type : {"RSA", "EC", "OKP", "oct"})
    if (is_text(json, "kty", type)) return true;
  return false;
}

Result<TokenKey> key_of(const Json& json, TokenAlgorithm algorithm) {
  Result<TokenKey> key = [&]() -> Result<TokenKey> {
    if (is_text(json, "kty", "oct")) {
      if (!is_symmetric(algorithm))
        return fail(ErrorCode::kInvalid, "its kty is oct, and its alg is none of HS");
      return symmetric_key(algorithm, bytes_of(json, "k"));
    }
    auto read = public_of(json);
    if (!read) return tl::make_unexpected(read.error());
    return asymmetric_key(algorithm, std::move(*read));
  }();
  if (!key || !json.contains("kid")) return key;
  const std::string* id = text_of(json, "kid");
  if (id == nullptr || id->empty() || id->size() > kKeyIdBytesMax)
    return fail(ErrorCode::kInvalid, "its kid is no text of 1 to 128 bytes");
  key->id = *id;
  return key;
}

}  // namespace

Result<void> TokenKeys::add_jwks(std::string_view text, const std::string& path) {
  const auto json = parse_strict_json(text);
  if (!json || !json->is_object() || !json->contains("keys") || !json->at("keys").is_array())
    return fail(ErrorCode::kInvalid, path + ": it is no JSON Web Key Set: {\"keys\": […]}");
  const std::size_t before = keys_.size();
  std::size_t number = 0;
  for (const Json& entry : json->at("keys")) {
    ++number;
    const auto wrong = [&](const Error& error) {
      return fail(error.code, path + ": key " + std::to_string(number) + ": " + error.message);
    };
    if (!entry.is_object()) return wrong({ErrorCode::kInvalid, "it is no object"});
    const auto algorithm = algorithm_of(entry);
    if (!known_type(entry) || !verifies(entry) || !algorithm) {
      ++skipped_;
      continue;
    }
    auto key = key_of(entry, *algorithm);
    if (!key) return wrong(key.error());
    if (key->can_sign()) note_secret_in(path);
    if (auto added = add(std::move(*key)); !added) return wrong(added.error());
  }
  if (keys_.size() == before)
    return fail(ErrorCode::kInvalid, path + ": there is no key in it that tokens are verified by");
  return {};
}

}  // namespace sluice
