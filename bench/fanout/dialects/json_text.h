// The text of a JSON string literal. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::fanout {

/// What stands between the quotes, with its escapes undone; nothing when an escape is none.
/// `scratch` is used only where there is one: otherwise the answer is `inside` itself.
[[nodiscard]] std::optional<std::string_view> json_text(std::string_view inside,
                                                        std::string& scratch);

}  // namespace sluice::fanout
