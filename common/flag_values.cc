// The parsers with a range of common/flags.h: apart from CLI11 and toml++, which take long to
// compile.
#include <charconv>

#include "common/flags.h"

namespace sluice {

std::function<Result<std::uint64_t>(const std::string&)> count_between(std::uint64_t low,
                                                                       std::uint64_t high) {
  return [low, high](const std::string& text) -> Result<std::uint64_t> {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size() && value >= low && value <= high)
      return value;
    return fail(ErrorCode::kInvalid, "'" + text + "' is not a whole number from " +
                                         std::to_string(low) + " to " + std::to_string(high));
  };
}

std::function<Result<std::uint64_t>(const std::string&)> size_between(std::uint64_t low,
                                                                      std::uint64_t high) {
  return [low, high](const std::string& text) -> Result<std::uint64_t> {
    auto value = parse_size(text);
    if (!value || (*value >= low && *value <= high)) return value;
    return fail(ErrorCode::kInvalid, "'" + text + "' is not between " + std::to_string(low) +
                                         "B and " + std::to_string(high) + "B");
  };
}

std::function<Result<Duration>(const std::string&)> duration_between(Duration low, Duration high) {
  return [low, high](const std::string& text) -> Result<Duration> {
    auto value = parse_duration(text);
    if (!value || (*value >= low && *value <= high)) return value;
    return fail(ErrorCode::kInvalid, "'" + text + "' is not between " + format_duration(low) +
                                         " and " + format_duration(high));
  };
}

Result<unsigned> parse_file_mode(const std::string& text) {
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error == std::errc{} && end == text.data() + text.size() && text.size() >= 3 &&
      text.size() <= 4 && mode <= 0777)
    return mode;
  return fail(ErrorCode::kInvalid, "'" + text + "' is not a file mode such as 0660");
}

}  // namespace sluice
