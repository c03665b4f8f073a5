#include "common/tokens/evp.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>

namespace sluice {
namespace {

constexpr std::size_t kEd25519SignatureBytes = 64;
constexpr std::size_t kEd25519KeyBytes = 32;
constexpr int kDecodingBytesMax = 1U << 20U;

template <auto Free>
struct Freeing {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Bio = std::unique_ptr<BIO, Freeing<BIO_free_all>>;
using BigNumber = std::unique_ptr<BIGNUM, Freeing<BN_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Freeing<EVP_PKEY_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freeing<EVP_MD_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freeing<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freeing<OSSL_PARAM_free>>;
using Certificate = std::unique_ptr<X509, Freeing<X509_free>>;

/// What OpenSSL has queued of its failures belongs to nobody.
struct ClearErrors {
  ClearErrors() = default;
  ClearErrors(const ClearErrors&) = delete;
  ClearErrors& operator=(const ClearErrors&) = delete;
  ~ClearErrors() { ERR_clear_error(); }
};

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// A key with a passphrase is refused, and never asked about on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
  return -1;
}

Bio reading(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string content(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::shared_ptr<EVP_PKEY> owned(EVP_PKEY* key) {
  return key == nullptr ? nullptr : std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free);
}

/// From numbers: what `params` names.
std::shared_ptr<EVP_PKEY> key_from(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  auto made = owned(key);
  const Context check(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) return nullptr;
  return made;
}

std::shared_ptr<EVP_PKEY> public_of_pem(const std::string& pem) {
  const Bio bio = reading(pem);
  if (!bio) return nullptr;
  if (pem.find("-----BEGIN CERTIFICATE-----") != std::string::npos) {
    const Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    return certificate ? owned(X509_get_pubkey(certificate.get())) : nullptr;
  }
  return owned(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr));
}

struct Curve {
  EvpKind kind;
  const char* group;
  std::size_t bytes;  ///< of a coordinate
};
constexpr std::array<Curve, 3> kCurves = {{{EvpKind::kP256, "prime256v1", 32},
                                           {EvpKind::kP384, "secp384r1", 48},
                                           {EvpKind::kP521, "secp521r1", 66}}};

const Curve* curve_of(EVP_PKEY* key) {
  std::array<char, 64> name{};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) != 1) return nullptr;
  for (const Curve& curve : kCurves)
    if (std::string_view(name.data(), size) == curve.group) return &curve;
  return nullptr;
}

}  // namespace

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

Result<EvpKey> EvpKey::checked(Handle key, bool has_private) {
  switch (EVP_PKEY_get_base_id(key.get())) {
    case EVP_PKEY_RSA: {
      const int bits = EVP_PKEY_get_bits(key.get());
      if (bits < static_cast<int>(kRsaBitsMin) || bits > static_cast<int>(kRsaBitsMax)) {
        return fail(ErrorCode::kInvalid, "an RSA key has " + std::to_string(kRsaBitsMin) + " to " +
                                             std::to_string(kRsaBitsMax) + " bits, this one " +
                                             std::to_string(bits));
      }
      return EvpKey(std::move(key), EvpKind::kRsa, has_private);
    }
    case EVP_PKEY_EC: {
      const Curve* curve = curve_of(key.get());
      if (curve == nullptr)
        return fail(ErrorCode::kInvalid, "its curve is none of P-256, P-384 and P-521");
      return EvpKey(std::move(key), curve->kind, has_private);
    }
    case EVP_PKEY_ED25519:
      return EvpKey(std::move(key), EvpKind::kEd25519, has_private);
    default:
      return fail(ErrorCode::kInvalid, "it is no RSA, EC or Ed25519 key");
  }
}

Result<EvpKey> EvpKey::from_pem(const std::string& pem) {
  const ClearErrors clear;
  if (pem.size() > kDecodingBytesMax) return fail(ErrorCode::kTooLarge, "it is over 1 MiB");
  if (auto key = public_of_pem(pem)) return checked(std::move(key), false);
  const Bio bio = reading(pem);
  if (!bio) return fail(ErrorCode::kSystem, "out of memory");
  auto key = owned(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) {
    return fail(ErrorCode::kInvalid,
                "it holds no key in PEM (PUBLIC KEY, CERTIFICATE, or PRIVATE KEY without a "
                "passphrase)");
  }
  return checked(std::move(key), true);
}

Result<EvpKey> EvpKey::from_rsa(std::string_view modulus, std::string_view exponent) {
  const ClearErrors clear;
  // More would only be refused later, after much work.
  if (modulus.size() > kRsaBitsMax / 8 + 1 || exponent.size() > 8)
    return fail(ErrorCode::kInvalid, "its modulus or exponent is too large");
  const BigNumber n(BN_bin2bn(bytes_of(modulus), static_cast<int>(modulus.size()), nullptr));
  const BigNumber e(BN_bin2bn(bytes_of(exponent), static_cast<int>(exponent.size()), nullptr));
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return fail(ErrorCode::kSystem, "out of memory");
  }
  if (static_cast<unsigned>(BN_num_bits(n.get())) < kRsaBitsMin)
    return fail(ErrorCode::kInvalid, "an RSA key has 2048 bits at least");
  auto key = key_from("RSA", builder.get());
  if (!key) return fail(ErrorCode::kInvalid, "its numbers are no RSA key");
  return checked(std::move(key), false);
}

Result<EvpKey> EvpKey::from_point(EvpKind kind, std::string_view x, std::string_view y) {
  const ClearErrors clear;
  const Curve* curve = nullptr;
  for (const Curve& known : kCurves)
    if (known.kind == kind) curve = &known;
  if (curve == nullptr || x.size() != curve->bytes || y.size() != curve->bytes)
    return fail(ErrorCode::kInvalid, "its coordinates are not of its curve's size");
  std::string point(1, '\x04');  // not compressed
  point.append(x).append(y);
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return fail(ErrorCode::kSystem, "out of memory");
  }
  auto key = key_from("EC", builder.get());
  if (!key) return fail(ErrorCode::kInvalid, "its point is not on its curve");
  return checked(std::move(key), false);
}

Result<EvpKey> EvpKey::from_ed25519(std::string_view public_key) {
  const ClearErrors clear;
  if (public_key.size() != kEd25519KeyBytes)
    return fail(ErrorCode::kInvalid, "an Ed25519 key has 32 bytes");
  auto key = owned(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(public_key),
                                               public_key.size()));
  if (!key) return fail(ErrorCode::kInvalid, "it is no Ed25519 key");
  return checked(std::move(key), false);
}

std::string EvpKey::public_pem() const {
  const ClearErrors clear;
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), key_.get()) != 1) return {};
  return content(bio.get());
}

std::string EvpKey::private_pem() const {
  if (!private_) return {};
  const ClearErrors clear;
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (!bio ||
      PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return {};
  }
  return content(bio.get());
}

bool EvpKey::verify_ed25519(std::string_view message, std::string_view signature) const {
  if (kind_ != EvpKind::kEd25519 || signature.size() != kEd25519SignatureBytes) return false;
  const ClearErrors clear;
  const Digest digest(EVP_MD_CTX_new());
  return digest && EVP_DigestVerifyInit(digest.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(digest.get(), bytes_of(signature), signature.size(), bytes_of(message),
                          message.size()) == 1;
}

std::string EvpKey::sign_ed25519(std::string_view message) const {
  if (kind_ != EvpKind::kEd25519 || !private_) return {};
  const ClearErrors clear;
  const Digest digest(EVP_MD_CTX_new());
  std::array<unsigned char, kEd25519SignatureBytes> signature{};
  std::size_t size = signature.size();
  if (!digest || EVP_DigestSignInit(digest.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(digest.get(), signature.data(), &size, bytes_of(message), message.size()) !=
          1) {
    return {};
  }
  return {reinterpret_cast<const char*>(signature.data()), size};
}

}  // namespace sluice
