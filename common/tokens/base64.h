// Base64 (RFC 4648): base64url without padding, as tokens and keys have it, and the ordinary kind,
// as claims and key files have it. Strict: what decodes has one spelling only. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

[[nodiscard]] std::optional<std::string> decode_base64url(std::string_view text);
/// With padding or without.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);
[[nodiscard]] std::string encode_base64url(std::string_view bytes);

}  // namespace sluice
