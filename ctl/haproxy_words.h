// One line of an HAProxy configuration cut into words, as HAProxy 2.6 does it: backslashes, weak
// and strong quotes, comments, variables (configuration manual, 2.2 and 2.3). Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::ctl {

/// Of one line, variables replaced. HAProxy's own bounds (2048 bytes, 64 words) are lower and can
/// be moved when it is built.
inline constexpr std::size_t kHaproxyLineBytesMax = 16384;
inline constexpr std::size_t kHaproxyWordsMax = 512;

/// A variable's value; none: not set.
using HaproxyVariables = std::function<std::optional<std::string>(std::string_view name)>;

struct HaproxyWords {
  std::vector<std::string> words;
  std::string problem;  ///< where HAProxy would refuse the line; `words` is what came before
};

/// `line` without its end. Variables count within double quotes only; one that is not set is empty.
[[nodiscard]] HaproxyWords split_haproxy_line(std::string_view line,
                                              const HaproxyVariables& variables);

}  // namespace sluice::ctl
