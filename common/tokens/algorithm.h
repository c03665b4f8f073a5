// The signatures that a token may have (RFC 7518, RFC 8037). "none" is not one of them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice {

enum class TokenAlgorithm : std::uint8_t {
  kHs256,
  kHs384,
  kHs512,
  kRs256,
  kRs384,
  kRs512,
  kEs256,
  kEs384,
  kEs512,
  kEdDsa,
};

struct TokenAlgorithmName {
  TokenAlgorithm algorithm;
  const char* name;
};
inline constexpr std::array<TokenAlgorithmName, 10> kTokenAlgorithms = {{
    {TokenAlgorithm::kHs256, "HS256"},
    {TokenAlgorithm::kHs384, "HS384"},
    {TokenAlgorithm::kHs512, "HS512"},
    {TokenAlgorithm::kRs256, "RS256"},
    {TokenAlgorithm::kRs384, "RS384"},
    {TokenAlgorithm::kRs512, "RS512"},
    {TokenAlgorithm::kEs256, "ES256"},
    {TokenAlgorithm::kEs384, "ES384"},
    {TokenAlgorithm::kEs512, "ES512"},
    {TokenAlgorithm::kEdDsa, "EdDSA"},
}};

[[nodiscard]] constexpr const char* to_string(TokenAlgorithm algorithm) {
  return kTokenAlgorithms[static_cast<std::size_t>(algorithm)].name;
}

/// Names are compared as they are: "hs256" is none.
[[nodiscard]] constexpr std::optional<TokenAlgorithm> find_algorithm(std::string_view name) {
  for (const auto& known : kTokenAlgorithms)
    if (name == known.name) return known.algorithm;
  return std::nullopt;
}

/// One secret for both sides.
[[nodiscard]] constexpr bool is_symmetric(TokenAlgorithm algorithm) {
  return algorithm <= TokenAlgorithm::kHs512;
}

}  // namespace sluice
