// What the tests of tokens share: a directory for key files, and tokens as nobody should make them.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "common/base64.h"
#include "common/tokens/tokens.h"
#include "tests/unit/common/token_samples.h"

namespace sluice {

class KeyDirectory {
 public:
  KeyDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-keys-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  KeyDirectory(const KeyDirectory&) = delete;
  KeyDirectory& operator=(const KeyDirectory&) = delete;
  ~KeyDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  /// Its path. Only the owner may read it.
  std::string write(const std::string& name, std::string_view text) const {
    const std::filesystem::path file = path_ / name;
    std::ofstream(file, std::ios::binary) << text;
    std::filesystem::permissions(
        file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return file.string();
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// Signed with HMAC and SHA-256, whatever the header says.
inline std::string hmac_token(std::string_view header, std::string_view claims,
                              std::string_view secret = samples::kSecret) {
  const std::string text = encode_base64url(header) + "." + encode_base64url(claims);
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned size = 0;
  ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), code.data(), &size);
  return text + "." +
         encode_base64url({reinterpret_cast<const char*>(code.data()), std::size_t{size}});
}

inline std::string hmac_token(std::string_view claims) {
  return hmac_token(R"({"alg":"HS256"})", claims);
}

}  // namespace sluice
