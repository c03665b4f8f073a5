// Text for people: what can't be trusted made visible, widths in columns, figures with units. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::ctl {

/// Fit for a terminal, whatever the bytes are: control characters, bytes that are not UTF-8, and
/// characters that change how others are shown (direction, zero width) become \n, \x1b, \u{202e}.
[[nodiscard]] std::string visible(std::string_view bytes);

/// Columns that a text (made visible before) takes.
[[nodiscard]] std::size_t columns_of(std::string_view text);
/// Cut to so many columns, the last of them "…" where something is cut.
[[nodiscard]] std::string cut_to(std::string_view text, std::size_t columns);

[[nodiscard]] std::string bytes_text(std::uint64_t bytes);  ///< "812 B", "1.4 KiB", "64 MiB"
[[nodiscard]] std::string count_text(std::uint64_t count);  ///< "12,345"
[[nodiscard]] std::string seconds_text(double seconds);     ///< "8s", "2m 05s", "3h 12m", "5d 04h"
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view one,
                                  std::string_view many);  ///< "1 gap", "2 gaps"

enum class Style { kPlain, kDim, kBold, kGood, kWarn, kBad };
/// The text in colour, or as it is.
[[nodiscard]] std::string styled(std::string_view text, Style style, bool colours);

}  // namespace sluice::ctl
