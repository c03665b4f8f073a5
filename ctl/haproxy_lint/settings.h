// What holds in a proxy: the lines of its chain of defaults, then its own. Pure. Pointers are into
// the HaproxyConfig, which must outlive it.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "ctl/haproxy_config.h"

namespace sluice::ctl {

/// A time as HAProxy has it: milliseconds, or a number with us, ms, s, m, h, d (configuration
/// manual, 2.5). None: no time, or 0, which HAProxy takes for none.
[[nodiscard]] std::optional<Duration> parse_haproxy_time(std::string_view text);
/// A whole number; none: none.
[[nodiscard]] std::optional<std::uint64_t> parse_haproxy_number(std::string_view text);

class Settings {
 public:
  Settings() = default;
  explicit Settings(std::vector<const HaproxyLine*> lines) : lines_(std::move(lines)) {}

  [[nodiscard]] const std::vector<const HaproxyLine*>& lines() const { return lines_; }
  /// The last line that begins with these words, the one that counts for most keywords.
  [[nodiscard]] const HaproxyLine* last(std::initializer_list<std::string_view> words) const;
  [[nodiscard]] bool has(std::initializer_list<std::string_view> words) const {
    return last(words) != nullptr;
  }
  /// `option NAME …`, unless a later `no option NAME` or `default option NAME` takes it back.
  [[nodiscard]] const HaproxyLine* option(std::string_view name) const;
  /// `log …` lines behind the last `no log`.
  [[nodiscard]] std::vector<const HaproxyLine*> logs() const;

  struct Time {
    Duration value{};
    const HaproxyLine* line = nullptr;
  };
  /// `timeout NAME TIME`.
  [[nodiscard]] std::optional<Time> timeout(std::string_view name) const;

 private:
  std::vector<const HaproxyLine*> lines_;
};

/// Whether the line's first words are these.
[[nodiscard]] bool begins_with(const HaproxyLine& line,
                               std::initializer_list<std::string_view> words);

}  // namespace sluice::ctl
