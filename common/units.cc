#include "common/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace sluice {
namespace {

/// Splits "12.5ms" into number and unit; false when there is no number in front.
bool split(std::string_view text, double& number, std::string_view& unit) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(number) || std::signbit(number)) return false;
  unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return true;
}

constexpr std::array<std::pair<std::string_view, double>, 4> kDurationUnits = {
    {{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
constexpr std::array<std::pair<std::string_view, double>, 4> kSizeUnits = {
    {{"B", 1.0}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}}};
constexpr double kNanosecondsMax = 1e9 * 3600 * 24 * 3650;
constexpr double kRateMax = 1e9;
constexpr double kSizeMax = 9007199254740992.0;  // what a double counts exactly

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  double number = 0;
  std::string_view unit;
  if (split(text, number, unit)) {
    for (const auto& [name, factor] : kDurationUnits) {
      if (unit != name) continue;
      if (number * factor > kNanosecondsMax)
        return fail(ErrorCode::kTooLarge, "'" + std::string(text) + "' is over ten years");
      return Duration(static_cast<std::int64_t>(std::llround(number * factor)));
    }
  }
  return fail(
      ErrorCode::kInvalid,
      "'" + std::string(text) + "' is not a duration with a unit, such as 250ms, 5s, 2m or 1h");
}

std::string format_duration(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms == 0) return "0s";
  if (ms % 3600000 == 0) return std::to_string(ms / 3600000) + "h";
  if (ms % 60000 == 0) return std::to_string(ms / 60000) + "m";
  if (ms % 1000 == 0) return std::to_string(ms / 1000) + "s";
  return std::to_string(ms) + "ms";
}

Result<std::uint64_t> parse_size(std::string_view text) {
  double number = 0;
  std::string_view unit;
  if (split(text, number, unit)) {
    for (const auto& [name, factor] : kSizeUnits) {
      if (unit != name) continue;
      const double bytes = number * factor;
      if (bytes > kSizeMax)
        return fail(ErrorCode::kTooLarge, "'" + std::string(text) + "' is too large");
      if (bytes != std::floor(bytes)) break;
      return static_cast<std::uint64_t>(bytes);
    }
  }
  return fail(ErrorCode::kInvalid,
              "'" + std::string(text) + "' is not a size with a unit, such as 512B, 64KiB or 1MiB");
}

Result<double> parse_rate(std::string_view text) {
  double number = 0;
  std::string_view unit;
  if (split(text, number, unit) && unit == "/s" && number > 0) {
    if (number > kRateMax)
      return fail(ErrorCode::kTooLarge, "'" + std::string(text) + "' is over a billion per second");
    return number;
  }
  return fail(ErrorCode::kInvalid,
              "'" + std::string(text) + "' is not a rate above 0, such as 200/s");
}

}  // namespace sluice
