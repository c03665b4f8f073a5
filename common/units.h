// Values with units, as flags and configuration files have them: "250ms", "64KiB", "200/s".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"

namespace sluice {

/// A number and one of ms, s, m, h. The unit is compulsory.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
[[nodiscard]] std::string format_duration(Duration duration);
/// A number and one of B, KiB, MiB, GiB that make whole bytes.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);
/// A number and "/s", at most 1e9/s.
[[nodiscard]] Result<double> parse_rate(std::string_view text);

}  // namespace sluice
