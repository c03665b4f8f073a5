#include "ctl/haproxy_lint/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace sluice::ctl {
namespace {

constexpr std::array<std::pair<std::string_view, std::int64_t>, 7> kUnits = {{
    {"", 1'000'000},
    {"us", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
    {"d", 86'400'000'000'000},
}};
/// HAProxy counts milliseconds in 31 bits: 24 days.
constexpr std::int64_t kNanosecondsMax = std::int64_t{INT32_MAX} * 1'000'000;

}  // namespace

std::optional<std::uint64_t> parse_haproxy_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Duration> parse_haproxy_time(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_haproxy_number(text.substr(0, digits));
  if (!number || *number == 0) return std::nullopt;
  for (const auto& [unit, nanoseconds] : kUnits) {
    if (text.substr(digits) != unit) continue;
    if (*number > static_cast<std::uint64_t>(kNanosecondsMax / nanoseconds))
      return Duration(kNanosecondsMax);
    return Duration(static_cast<std::int64_t>(*number) * nanoseconds);
  }
  return std::nullopt;
}

bool begins_with(const HaproxyLine& line, std::initializer_list<std::string_view> words) {
  return line.words.size() >= words.size() &&
         std::equal(words.begin(), words.end(), line.words.begin());
}

const HaproxyLine* Settings::last(std::initializer_list<std::string_view> words) const {
  const auto found = std::find_if(lines_.rbegin(), lines_.rend(),
                                  [&](const auto* line) { return begins_with(*line, words); });
  return found == lines_.rend() ? nullptr : *found;
}

const HaproxyLine* Settings::option(std::string_view name) const {
  for (auto at = lines_.rbegin(); at != lines_.rend(); ++at) {
    const HaproxyLine& line = **at;
    if (begins_with(line, {"option", name})) return &line;
    if (begins_with(line, {"no", "option", name}) || begins_with(line, {"default", "option", name}))
      return nullptr;
  }
  return nullptr;
}

std::vector<const HaproxyLine*> Settings::logs() const {
  std::vector<const HaproxyLine*> found;
  for (const HaproxyLine* line : lines_) {
    if (begins_with(*line, {"no", "log"})) found.clear();
    if (begins_with(*line, {"log"}) && line->words.size() > 1) found.push_back(line);
  }
  return found;
}

std::optional<Settings::Time> Settings::timeout(std::string_view name) const {
  const HaproxyLine* line = last({"timeout", name});
  if (line == nullptr || line->words.size() < 3) return std::nullopt;
  const auto value = parse_haproxy_time(line->words[2]);
  if (!value) return std::nullopt;
  return Time{*value, line};
}

}  // namespace sluice::ctl
