// Keys and EdDSA by OpenSSL's EVP: what the JWT library of older systems does not know. Public keys
// out of PEM and out of the numbers of a JSON Web Key (RFC 7517, RFC 8037). Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"

struct evp_pkey_st;

namespace sluice {

inline constexpr unsigned kRsaBitsMin = 2048;
/// A signature by a larger one takes milliseconds to check.
inline constexpr unsigned kRsaBitsMax = 8192;

enum class EvpKind : std::uint8_t { kRsa, kP256, kP384, kP521, kEd25519 };

/// A key pair or its public half. Copies share it.
class EvpKey {
 public:
  /// PUBLIC KEY, RSA PUBLIC KEY, PRIVATE KEY (without a passphrase) or CERTIFICATE. An error says
  /// nothing of what stands there.
  [[nodiscard]] static Result<EvpKey> from_pem(const std::string& pem);
  // Numbers as bytes, the most significant first.
  [[nodiscard]] static Result<EvpKey> from_rsa(std::string_view modulus, std::string_view exponent);
  /// `kind`: kP256, kP384 or kP521.
  [[nodiscard]] static Result<EvpKey> from_point(EvpKind kind, std::string_view x,
                                                 std::string_view y);
  [[nodiscard]] static Result<EvpKey> from_ed25519(std::string_view public_key);

  [[nodiscard]] EvpKind kind() const { return kind_; }
  [[nodiscard]] bool is_private() const { return private_; }
  [[nodiscard]] std::string public_pem() const;
  /// Empty: it has no private half. The caller wipes it.
  [[nodiscard]] std::string private_pem() const;

  // EdDSA, of kEd25519 alone.
  [[nodiscard]] bool verify_ed25519(std::string_view message, std::string_view signature) const;
  /// Empty: it can't be done.
  [[nodiscard]] std::string sign_ed25519(std::string_view message) const;

 private:
  using Handle = std::shared_ptr<evp_pkey_st>;
  EvpKey(Handle key, EvpKind kind, bool has_private)
      : key_(std::move(key)), kind_(kind), private_(has_private) {}
  /// Of a kind and size that we take.
  [[nodiscard]] static Result<EvpKey> checked(Handle key, bool has_private);

  Handle key_;
  EvpKind kind_{};
  bool private_ = false;
};

/// Overwrites a secret, so that its memory does not keep it.
void wipe(std::string& secret);

}  // namespace sluice
