// JSON of tokens and key sets: a name may stand once in an object, and nesting has a bound. Two
// readers could else see two tokens in one. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace sluice {

/// Objects and arrays within each other.
inline constexpr std::size_t kJsonDepthMax = 32;

/// In the order in which it was written.
[[nodiscard]] std::optional<nlohmann::ordered_json> parse_strict_json(std::string_view text);
/// On one line.
[[nodiscard]] std::string to_text(const nlohmann::ordered_json& json);

}  // namespace sluice
