// Text of a peer for a log line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice {

/// Bytes shown of a value; what is longer ends with "...".
inline constexpr std::size_t kLogValueBytesMax = 128;

/// As it is when it is plain (letters, digits, `._:/@+*,~%-`), else in double quotes with `\"`,
/// `\\` and
/// `\xNN` for every byte outside of printable ASCII: so it can neither end the line, nor look like
/// another field, nor turn the terminal.
[[nodiscard]] std::string log_value(std::string_view text);

}  // namespace sluice
