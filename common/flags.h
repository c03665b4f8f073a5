// A program's settings from four places; the first that names one wins: flag, environment, --config
// file (TOML), default. CLI11 reads the command line and writes --help, toml++ the file. What is
// wrong is told in one line that names the place.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/clock.h"
#include "common/ip.h"
#include "common/result.h"
#include "common/units.h"

namespace sluice {

/// How a setting looks in --help.
struct FlagText {
  std::string group;
  std::string value;     ///< placeholder, e.g. "ADDR"
  std::string fallback;  ///< the default, as a user would write it; empty: none
  std::string help;
};

class Flags {
 public:
  /// `environment_prefix`: "SLUICE_GATEWAY_"; --max-channels is then SLUICE_GATEWAY_MAX_CHANNELS.
  /// A daemon has --config and --version beside its flags; a command of a tool has not.
  Flags(std::string program, std::string description, std::string environment_prefix,
        bool daemon = true);
  ~Flags();
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  using Accept = std::function<Result<void>(const std::string&)>;
  /// One value. `accept` checks and stores it.
  void add(const std::string& name, const FlagText& text, Accept accept, bool required = false);
  /// Any number of values: the flag again and again, commas in the environment, an array in the
  /// file.
  void add_list(const std::string& name, const FlagText& text, Accept accept,
                bool required = false);
  /// On when given; true or false in environment and file.
  void add_switch(const std::string& name, const FlagText& text, bool& target);

  /// An argument without dashes, in the order added: on the command line alone.
  void add_positional(const std::string& name, const std::string& help, Accept accept,
                      bool required);

  /// Stores what `parse` makes of the value.
  template <typename T, typename Parse>
  void add_as(const std::string& name, const FlagText& text, T& target, Parse parse,
              bool required = false) {
    add(
        name, text,
        [&target, parse](const std::string& value) -> Result<void> {
          auto parsed = parse(value);
          if (!parsed) return tl::make_unexpected(parsed.error());
          target = static_cast<T>(std::move(*parsed));
          return {};
        },
        required);
  }
  template <typename T, typename Parse>
  void add_list_as(const std::string& name, const FlagText& text, std::vector<T>& target,
                   Parse parse, bool required = false) {
    add_list(
        name, text,
        [&target, parse](const std::string& value) -> Result<void> {
          auto parsed = parse(value);
          if (!parsed) return tl::make_unexpected(parsed.error());
          target.push_back(std::move(*parsed));
          return {};
        },
        required);
  }

  /// The exit code when the program shall not go on: 0 after --help or --version, 2 after one line
  /// on stderr.
  [[nodiscard]] std::optional<int> parse(int argc, char** argv);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Parsers with a range, for add_as.
[[nodiscard]] std::function<Result<std::uint64_t>(const std::string&)> count_between(
    std::uint64_t low, std::uint64_t high);
[[nodiscard]] std::function<Result<std::uint64_t>(const std::string&)> size_between(
    std::uint64_t low, std::uint64_t high);
[[nodiscard]] std::function<Result<Duration>(const std::string&)> duration_between(Duration low,
                                                                                   Duration high);
/// Three or four octal digits.
[[nodiscard]] Result<unsigned> parse_file_mode(const std::string& text);

}  // namespace sluice
