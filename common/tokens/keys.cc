#include "common/tokens/keys.h"

#include <algorithm>
#include <filesystem>

#include "common/base64.h"
#include "common/small_file.h"

namespace sluice {
namespace {

constexpr std::string_view kFilePrefix = "file:";
constexpr std::string_view kBase64Prefix = "base64:";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// Of the hash, below which a secret is weaker than it (RFC 7518 3.2).
std::size_t secret_bytes_min(TokenAlgorithm algorithm) {
  switch (algorithm) {
    case TokenAlgorithm::kHs256:
      return 32;
    case TokenAlgorithm::kHs384:
      return 48;
    default:
      return 64;
  }
}

EvpKind kind_for(TokenAlgorithm algorithm) {
  switch (algorithm) {
    case TokenAlgorithm::kEs256:
      return EvpKind::kP256;
    case TokenAlgorithm::kEs384:
      return EvpKind::kP384;
    case TokenAlgorithm::kEs512:
      return EvpKind::kP521;
    case TokenAlgorithm::kEdDsa:
      return EvpKind::kEd25519;
    default:
      return EvpKind::kRsa;
  }
}

const char* key_text(TokenAlgorithm algorithm) {
  switch (kind_for(algorithm)) {
    case EvpKind::kP256:
      return "an EC key on P-256";
    case EvpKind::kP384:
      return "an EC key on P-384";
    case EvpKind::kP521:
      return "an EC key on P-521";
    case EvpKind::kEd25519:
      return "an Ed25519 key";
    case EvpKind::kRsa:
      break;
  }
  return "an RSA key";
}

bool valid_key_id(std::string_view id) {
  return !id.empty() && id.size() <= kKeyIdBytesMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

/// A file that a key file names, beside it.
std::string beside(const std::string& path, std::string_view named) {
  const std::filesystem::path file{std::string(named)};
  return file.is_absolute() ? file.string()
                            : (std::filesystem::path(path).parent_path() / file).string();
}

Result<std::string> read_named(const std::string& path) {
  auto text = read_small_file(path, kKeyFileBytesMax);
  if (!text) return fail(text.error().code, path + ": " + text.error().message);
  return text;
}

/// A secret as a key file's line has it; `secret_file`: where it stands, when that is a file of its
/// own.
Result<std::string> read_secret(std::string_view value, const std::string& path,
                                std::string& secret_file) {
  if (value.starts_with(kBase64Prefix)) {
    auto bytes = decode_base64(value.substr(kBase64Prefix.size()), Padding::kOptional);
    if (!bytes) return fail(ErrorCode::kInvalid, "what stands behind base64: is none");
    return std::move(*bytes);
  }
  if (!value.starts_with(kFilePrefix)) return std::string(value);
  secret_file = beside(path, value.substr(kFilePrefix.size()));
  auto text = read_named(secret_file);
  // Editors and echo end a file with a newline.
  if (text && text->ends_with('\n')) text->pop_back();
  return text;
}

}  // namespace

Result<TokenKey> symmetric_key(TokenAlgorithm algorithm, std::string secret) {
  TokenKey key;
  key.algorithm = algorithm;
  key.secret = SecretBytes(std::move(secret));
  // A public key as a secret: whoever knows it, and that is everybody, could sign.
  if (key.secret.get().find("-----BEGIN ") != std::string::npos) {
    return fail(ErrorCode::kInvalid, std::string("a key in PEM is no secret of ") +
                                         to_string(algorithm) + "; is it for RS, ES or EdDSA?");
  }
  if (key.secret.get().size() < secret_bytes_min(algorithm)) {
    return fail(ErrorCode::kInvalid, std::string("a secret of ") + to_string(algorithm) + " has " +
                                         std::to_string(secret_bytes_min(algorithm)) +
                                         " bytes at least: openssl rand -hex 64 makes one");
  }
  return key;
}

Result<TokenKey> asymmetric_key(TokenAlgorithm algorithm, EvpKey key) {
  if (is_symmetric(algorithm) || key.kind() != kind_for(algorithm)) {
    return fail(ErrorCode::kInvalid,
                std::string(to_string(algorithm)) + " needs " +
                    (is_symmetric(algorithm) ? "a secret" : key_text(algorithm)));
  }
  TokenKey made;
  made.algorithm = algorithm;
  made.public_pem = key.public_pem();
  if (made.public_pem.empty()) return fail(ErrorCode::kSystem, "out of memory");
  made.key = std::move(key);
  return made;
}

Result<TokenKeys> TokenKeys::read(const TokenKeyOptions& options) {
  TokenKeys keys;
  if (!options.key_file.empty()) {
    auto text = read_named(options.key_file);
    if (!text) return tl::make_unexpected(text.error());
    const SecretBytes kept(std::move(*text));
    auto added = keys.add_key_file(kept.get(), options.key_file);
    if (!added) return tl::make_unexpected(added.error());
  }
  if (!options.jwks_file.empty()) {
    auto text = read_named(options.jwks_file);
    if (!text) return tl::make_unexpected(text.error());
    const SecretBytes kept(std::move(*text));
    auto added = keys.add_jwks(kept.get(), options.jwks_file);
    if (!added) return tl::make_unexpected(added.error());
  }
  return keys;
}

Result<void> TokenKeys::add_key_file(std::string_view text, const std::string& path) {
  std::size_t number = 0;
  const std::size_t before = keys_.size();
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    if (auto added = add_line(line, path); !added) {
      return fail(added.error().code,
                  path + ":" + std::to_string(number) + ": " + added.error().message);
    }
  }
  if (keys_.size() == before) return fail(ErrorCode::kInvalid, path + ": there is no key in it");
  return {};
}

Result<void> TokenKeys::add_line(std::string_view line, const std::string& path) {
  const std::size_t blank = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view front = line.substr(0, blank);
  const std::string_view value = trimmed(line.substr(blank));
  const std::size_t colon = front.find(':');
  // The line may be a secret that stands in the wrong place: nothing of it is said.
  const auto algorithm = find_algorithm(front.substr(0, colon));
  if (!algorithm || value.empty()) {
    return fail(ErrorCode::kInvalid,
                "write ALG[:KID] and the key: ALG is one of HS256, HS384, HS512, RS256, RS384, "
                "RS512, ES256, ES384, ES512, EdDSA");
  }
  std::string id;
  if (colon != std::string_view::npos) {
    id = front.substr(colon + 1);
    if (!valid_key_id(id))
      return fail(ErrorCode::kInvalid, "a KID has 1 to 128 visible ASCII characters");
  }
  std::string secret_file = path;
  Result<TokenKey> key = [&]() -> Result<TokenKey> {
    if (is_symmetric(*algorithm)) {
      auto secret = read_secret(value, path, secret_file);
      if (!secret) return tl::make_unexpected(secret.error());
      return symmetric_key(*algorithm, std::move(*secret));
    }
    secret_file = beside(path, value);
    auto text = read_named(secret_file);
    if (!text) return tl::make_unexpected(text.error());
    const SecretBytes pem(std::move(*text));
    auto read = EvpKey::from_pem(pem.get());
    if (!read) return fail(read.error().code, secret_file + ": " + read.error().message);
    return asymmetric_key(*algorithm, std::move(*read));
  }();
  if (!key) return tl::make_unexpected(key.error());
  if (key->can_sign()) note_secret_in(secret_file);
  key->id = std::move(id);
  return add(std::move(*key));
}

Result<void> TokenKeys::add(TokenKey key) {
  if (keys_.size() == kKeysMax)
    return fail(ErrorCode::kTooLarge, "there are more than " + std::to_string(kKeysMax) + " keys");
  const auto same = std::count_if(keys_.begin(), keys_.end(), [&key](const TokenKey& other) {
    return other.id == key.id && other.algorithm == key.algorithm;
  });
  if (!key.id.empty() && same > 0)
    return fail(ErrorCode::kInvalid, "there is a key of this algorithm and id already");
  if (key.id.empty() && same == static_cast<std::ptrdiff_t>(kNamelessKeysMax)) {
    return fail(ErrorCode::kInvalid, "there are more than " + std::to_string(kNamelessKeysMax) +
                                         " keys of " + to_string(key.algorithm) +
                                         " without an id: give them ids");
  }
  keys_.push_back(std::move(key));
  return {};
}

void TokenKeys::note_secret_in(const std::string& path) {
  if (!is_world_readable(path)) return;
  std::string warning =
      path + " holds a secret, and everybody on this machine may read it: chmod o= it";
  if (std::find(warnings_.begin(), warnings_.end(), warning) == warnings_.end())
    warnings_.push_back(std::move(warning));
}

}  // namespace sluice
