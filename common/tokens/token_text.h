// A token as text: three parts in base64url, the first two of them JSON. Nothing is verified here.
// Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "common/tokens/signature.h"

namespace sluice {

[[nodiscard]] std::optional<TokenParts> split_token(std::string_view token);
/// A header or payload; an object.
[[nodiscard]] std::optional<nlohmann::ordered_json> decode_token_part(std::string_view part);

}  // namespace sluice
