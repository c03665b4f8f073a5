// An HAProxy configuration as sections of lines of words. Tolerant: a keyword that nobody knows is
// a line like any other, for HAProxy itself says what it does not know (`haproxy -c`). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "ctl/haproxy_words.h"

namespace sluice::ctl {

inline constexpr std::size_t kHaproxyFileBytesMax = std::size_t{1} << 20U;
inline constexpr std::size_t kHaproxyLinesMax = 50'000;
/// All words together: variables may hold variables.
inline constexpr std::size_t kHaproxyExpandedBytesMax = std::size_t{8} << 20U;

struct HaproxyLine {
  std::size_t number = 0;          ///< from 1
  std::vector<std::string> words;  ///< at least one
};

struct HaproxySection {
  std::string kind;  ///< "global", "defaults", "frontend" …
  std::string name;  ///< may be empty
  std::string from;  ///< the defaults section named on the section's line
  std::size_t line = 0;
  std::vector<HaproxyLine> lines;  ///< without the section's own
};

/// A line that HAProxy would refuse for its form.
struct HaproxyFault {
  std::size_t line = 0;
  std::string problem;
};

struct HaproxyConfig {
  std::vector<HaproxySection> sections;  ///< in the file's order
  std::vector<HaproxyFault> faults;
};

/// `environment` is the one that HAProxy would start with; presetenv, setenv, unsetenv and resetenv
/// of the file change it from their line on. Lines of `.if` blocks count when their condition holds
/// (ctl/haproxy_condition.h). Fails when `text` is over a bound or holds a 0 byte.
[[nodiscard]] Result<HaproxyConfig> parse_haproxy_config(std::string_view text,
                                                         const HaproxyVariables& environment);

}  // namespace sluice::ctl
