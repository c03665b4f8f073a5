// Base64 (RFC 4648): the ordinary kind with its padding, as bodies and key files have it, and
// base64url without, as tokens have it. Strict: what decodes has one spelling only. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

enum class Padding : std::uint8_t {
  kRequired,
  kOptional,  ///< all of it or none
};

[[nodiscard]] std::string encode_base64(std::string_view bytes);
void append_base64(std::string& out, std::string_view bytes);
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text,
                                                       Padding padding = Padding::kRequired);

[[nodiscard]] std::string encode_base64url(std::string_view bytes);
[[nodiscard]] std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace sluice
