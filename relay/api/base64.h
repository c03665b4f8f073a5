// Base64 (RFC 4648, section 4) with its padding. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::relay::api {

[[nodiscard]] std::string encode_base64(std::string_view bytes);
/// Nothing: it is no such text. One text per value: padding and unused bits must be right.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace sluice::relay::api
