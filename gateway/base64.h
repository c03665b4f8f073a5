// Base64 (RFC 4648 section 4), as the shapes of hooks have it for what is no JSON. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::gateway {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
/// Strict: padding as it must be, no other characters, no spare bits.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace sluice::gateway
