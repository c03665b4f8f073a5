// The keys that tokens are verified by, out of a key file and a JWKS file (docs/TOKENS.md). Each is
// for one algorithm. Pure but for reading the files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"
#include "common/tokens/algorithm.h"
#include "common/tokens/evp.h"
#include "common/tokens/tokens.h"

namespace sluice {

inline constexpr std::size_t kKeyFileBytesMax = 1U << 20U;
inline constexpr std::size_t kKeysMax = 100;
/// A token that names no key is tried with each of its algorithm that has no name.
inline constexpr std::size_t kNamelessKeysMax = 4;
inline constexpr std::size_t kKeyIdBytesMax = 128;

/// Bytes that are overwritten when they end.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::string bytes) : bytes_(std::move(bytes)) {}
  SecretBytes(SecretBytes&& other) noexcept { *this = std::move(other); }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    bytes_.swap(other.bytes_);
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(bytes_); }

  [[nodiscard]] const std::string& get() const { return bytes_; }

 private:
  std::string bytes_;
};

struct TokenKey {
  TokenAlgorithm algorithm{};
  std::string id;             ///< `kid`; empty: none
  SecretBytes secret;         ///< HS
  std::optional<EvpKey> key;  ///< all others
  std::string public_pem;     ///< RS and ES: as the JWT library wants it

  [[nodiscard]] bool can_sign() const {
    return is_symmetric(algorithm) || (key && key->is_private());
  }
};

class TokenKeys {
 public:
  /// An error names file and line or entry, and nothing of what stands there.
  [[nodiscard]] static Result<TokenKeys> read(const TokenKeyOptions& options);
  /// Lines as a key file has them; files that they name are read. Beside what there is.
  [[nodiscard]] Result<void> add_key_file(std::string_view text, const std::string& path);
  [[nodiscard]] Result<void> add_jwks(std::string_view text, const std::string& path);

  [[nodiscard]] const std::vector<TokenKey>& all() const { return keys_; }
  /// Files with secrets that everybody on this machine may read.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  /// Entries of JWKS files that are for nothing that we do, such as encryption.
  [[nodiscard]] std::size_t skipped() const { return skipped_; }

 private:
  [[nodiscard]] Result<void> add(TokenKey key);
  [[nodiscard]] Result<void> add_line(std::string_view line, const std::string& path);
  void note_secret_in(const std::string& path);

  std::vector<TokenKey> keys_;
  std::vector<std::string> warnings_;
  std::size_t skipped_ = 0;
};

/// A secret of HS keys, or why it can't be one.
[[nodiscard]] Result<TokenKey> symmetric_key(TokenAlgorithm algorithm, std::string secret);
/// Of RS, ES and EdDSA.
[[nodiscard]] Result<TokenKey> asymmetric_key(TokenAlgorithm algorithm, EvpKey key);

}  // namespace sluice
