// Tokens and the files of their keys (common/tokens). Promises: nothing that the keys have not
// signed is taken; what is taken lies inside the documented ranges; a reason is a static text, and
// an error of a key file says nothing of a secret.
//
// Input: a byte, what the rest is. 0: a token. 1: one byte of length, so much header, the rest
// claims, signed here. 2: lines of a key file, HS alone. 3: a JSON Web Key Set.
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <string>

#include "common/base64.h"
#include "common/check.h"
#include "common/tokens/claims.h"
#include "common/tokens/keys.h"
#include "common/unique_fd.h"
#include "tests/fuzz/input.h"
#include "tests/unit/common/token_samples.h"

namespace sluice {
namespace {

constexpr std::int64_t kNow = 1'900'000'000;

std::string code_of(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned size = 0;
  const std::string_view secret = samples::kSecret;
  ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), code.data(), &size);
  return encode_base64url({reinterpret_cast<const char*>(code.data()), std::size_t{size}});
}

/// One secret, without a name and with two.
const TokenVerifier& verifier() {
  static const TokenVerifier* const made = [] {
    const std::string secret = samples::kSecret;
    const std::string lines = "HS256 " + secret + "\nHS256:a " + secret + "\n";
    const UniqueFd file(::memfd_create("keys", MFD_CLOEXEC));
    CHECK(::write(file.get(), lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()));
    auto* const loaded = new TokenVerifier;
    CHECK(loaded->load({.key_file = "/proc/self/fd/" + std::to_string(file.get())}));
    return loaded;
  }();
  return *made;
}

void check(const TokenFailure& failure) {
  CHECK(failure.reason != nullptr && *failure.reason != '\0');
}

void check_signed(std::string_view token) {
  CHECK(token.size() <= kTokenBytesMax);
  const std::size_t last = token.rfind('.');
  CHECK(last != std::string_view::npos && token.substr(last + 1) == code_of(token.substr(0, last)));
}

void verify(std::string_view token) {
  const auto connection = verifier().connection(token, kNow);
  const auto subscription = verifier().subscription(token, kNow);
  // One token is for one thing.
  CHECK(!connection || !subscription);
  if (connection) {
    check_signed(token);
    CHECK(connection->user.size() <= kTokenUserBytesMax);
    CHECK(connection->expires_at == 0 || connection->expires_at > kNow);
    for (const auto& [name, one] : connection->subscriptions) CHECK(!name.empty());
  } else {
    check(connection.error());
  }
  if (subscription) {
    check_signed(token);
    CHECK(subscription->user.size() <= kTokenUserBytesMax && !subscription->channel.empty());
    CHECK(subscription->expires_at == 0 || subscription->expires_at > kNow);
  } else {
    check(subscription.error());
  }
}

void verify_made(fuzz::Input& input) {
  const std::string header = input.text();
  const std::string text =
      encode_base64url(header) + "." + encode_base64url(fuzz::as_text(input.rest()));
  verify(text + "." + code_of(text));
}

/// No file of this machine's choice is read.
bool names_a_file(std::string_view text) {
  for (const char* word : {"file:", "RS", "ES", "EdDSA"})
    if (text.find(word) != std::string_view::npos) return true;
  return false;
}

void check(const TokenKeys& keys, const Result<void>& added) {
  if (!added) CHECK(added.error().message.starts_with("keys:"));
  CHECK(keys.all().size() <= kKeysMax);
  for (const TokenKey& key : keys.all()) {
    CHECK(key.id.size() <= kKeyIdBytesMax);
    CHECK(is_symmetric(key.algorithm) == key.public_pem.empty());
    CHECK(!is_symmetric(key.algorithm) || key.secret.get().size() >= 32);
  }
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  fuzz::Input input(data, size);
  const std::size_t what = input.below(4);
  if (what == 0) verify(fuzz::as_text(input.rest()));
  if (what == 1) verify_made(input);
  if (what < 2) return 0;
  const std::string_view text = fuzz::as_text(input.rest());
  TokenKeys keys;
  if (what == 2 && !names_a_file(text)) check(keys, keys.add_key_file(text, "keys"));
  if (what == 3) check(keys, keys.add_jwks(text, "keys"));
  return 0;
}
