#include "common/flags.h"

#include <toml++/toml.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace sluice {
namespace {

constexpr int kExitUsage = 2;

enum class Kind { kValue, kList, kSwitch };

struct Setting {
  std::string name;
  Kind kind = Kind::kValue;
  Flags::Accept accept;
  bool required = false;
  CLI::Option* option = nullptr;
  std::vector<std::string> given;  ///< on the command line
};

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// What a TOML value says as a flag would; false: a kind of value that no flag takes.
bool scalar_text(const toml::node& node, std::string& out) {
  if (const auto text = node.value_exact<std::string>()) {
    out = *text;
  } else if (const auto integer = node.value_exact<std::int64_t>()) {
    out = std::to_string(*integer);
  } else if (const auto boolean = node.value_exact<bool>()) {
    out = *boolean ? "true" : "false";
  } else {
    return false;
  }
  return true;
}

}  // namespace

struct Flags::Impl {
  CLI::App app;
  std::string program;
  std::string prefix;
  std::string config_path;
  bool version = false;
  std::vector<std::unique_ptr<Setting>> settings;

  Impl(std::string name, const std::string& description, std::string environment_prefix)
      : app(description, name), program(std::move(name)), prefix(std::move(environment_prefix)) {}

  [[nodiscard]] std::string variable(const Setting& s) const {
    std::string name = prefix;
    for (const char c : s.name)
      name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
  }
  Setting& add(const std::string& name, Kind kind, FlagText text, Accept accept, bool required);
  [[nodiscard]] Result<void> apply(const Setting& s, const std::string& value,
                                   const std::string& place) const;
  [[nodiscard]] Result<void> resolve(const toml::table& file, const std::string& path) const;
  [[nodiscard]] Result<void> from_file(const Setting& s, const toml::node& node,
                                       const std::string& path) const;
  [[nodiscard]] Result<void> check_keys(const toml::table& file, const std::string& path) const;
  [[nodiscard]] Result<toml::table> read_file(const std::string& path) const;
  int complain(const std::string& message) const {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), message.c_str());
    return kExitUsage;
  }
};

Setting& Flags::Impl::add(const std::string& name, Kind kind, FlagText text, Accept accept,
                          bool required) {
  settings.push_back(std::make_unique<Setting>());
  Setting& s = *settings.back();
  s.name = name;
  s.kind = kind;
  s.accept = std::move(accept);
  s.required = required;
  if (!text.fallback.empty()) text.help += " [" + text.fallback + "]";
  if (required) text.help += " (required)";
  if (kind == Kind::kSwitch) {
    s.option = app.add_flag_callback(
        "--" + name, [&s] { s.given = {"true"}; }, text.help);
  } else {
    s.option = app.add_option_function<std::vector<std::string>>(
        "--" + name, [&s](const std::vector<std::string>& values) { s.given = values; }, text.help);
    s.option->allow_extra_args(false)->expected(1)->type_name(text.value);
    s.option->multi_option_policy(kind == Kind::kList ? CLI::MultiOptionPolicy::TakeAll
                                                      : CLI::MultiOptionPolicy::Throw);
    if (kind == Kind::kList) s.option->expected(1, 1024)->allow_extra_args(false);
  }
  s.option->group(text.group);
  return s;
}

Result<void> Flags::Impl::apply(const Setting& s, const std::string& value,
                                const std::string& place) const {
  auto accepted = s.accept(value);
  if (!accepted) return fail(accepted.error().code, place + ": " + accepted.error().message);
  return {};
}

Result<toml::table> Flags::Impl::read_file(const std::string& path) const {
  try {
    return toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    const auto line = error.source().begin.line;
    const std::string where = line > 0 ? path + ":" + std::to_string(line) : path;
    return fail(ErrorCode::kInvalid,
                "--config: " + where + ": " + std::string(error.description()));
  }
}

Result<void> Flags::Impl::check_keys(const toml::table& file, const std::string& path) const {
  for (const auto& [key, node] : file) {
    const std::string name(key.str());
    const std::string where = path + ":" + std::to_string(key.source().begin.line);
    if (node.is_table())
      return fail(
          ErrorCode::kInvalid,
          where + ": [" + name + "]: tables are not used here; write settings at the top level");
    const bool known = std::any_of(settings.begin(), settings.end(),
                                   [&](const auto& s) { return s->name == name; });
    if (!known)
      return fail(ErrorCode::kInvalid, where + ": unknown key '" + name +
                                           "'; keys are the names of the flags, see --help");
  }
  return {};
}

Result<void> Flags::Impl::from_file(const Setting& s, const toml::node& node,
                                    const std::string& path) const {
  const std::string place = path + ":" + std::to_string(node.source().begin.line) + ": " + s.name;
  std::string text;
  if (const auto* array = node.as_array(); array != nullptr && s.kind == Kind::kList) {
    for (const toml::node& element : *array) {
      if (!scalar_text(element, text))
        return fail(ErrorCode::kInvalid, place + ": write strings in the array");
      if (auto done = apply(s, text, place); !done) return done;
    }
    return {};
  }
  if (!scalar_text(node, text))
    return fail(ErrorCode::kInvalid, place + ": not a string, a whole number or a boolean");
  return apply(s, text, place);
}

Result<void> Flags::Impl::resolve(const toml::table& file, const std::string& path) const {
  for (const auto& setting : settings) {
    const Setting& s = *setting;
    const std::string env_name = variable(s);
    const char* env = std::getenv(env_name.c_str());
    if (s.option->count() > 0) {
      for (const std::string& value : s.given) {
        if (auto done = apply(s, value, "--" + s.name); !done) return done;
      }
    } else if (env != nullptr) {
      const std::vector<std::string> values =
          s.kind == Kind::kList ? split_commas(env) : std::vector<std::string>{env};
      for (const std::string& value : values) {
        if (auto done = apply(s, value, env_name + " (--" + s.name + ")"); !done) return done;
      }
    } else if (const toml::node* node = file.get(s.name)) {
      if (auto done = from_file(s, *node, path); !done) return done;
    } else if (s.required) {
      return fail(ErrorCode::kInvalid, "--" + s.name + " is missing: give the flag, " + env_name +
                                           ", or '" + s.name + "' in the --config file");
    }
  }
  return {};
}

Flags::Flags(std::string program, std::string description, std::string environment_prefix)
    : impl_(
          std::make_unique<Impl>(std::move(program), description, std::move(environment_prefix))) {
  CLI::App& app = impl_->app;
  app.set_help_flag("-h,--help", "Show this help");
  app.add_flag("--version", impl_->version, "Show the version");
  app.add_option("--config", impl_->config_path,
                 "Settings in TOML: name = value, names as here without dashes in front")
      ->type_name("FILE");
  app.footer("Every setting can also come from the environment (" + impl_->prefix +
             "NAME, dashes as underscores) or from the --config file.\nThe first of flag, "
             "environment, file, default wins. "
             "Durations take ms, s, m, h; sizes B, KiB, MiB, GiB; rates /s.\nAddresses are "
             "ADDR:PORT, [ADDR6]:PORT, *:PORT, unix:PATH or fd:N.");
}

Flags::~Flags() = default;

void Flags::add(const std::string& name, FlagText text, Accept accept, bool required) {
  impl_->add(name, Kind::kValue, std::move(text), std::move(accept), required);
}

void Flags::add_list(const std::string& name, FlagText text, Accept accept, bool required) {
  impl_->add(name, Kind::kList, std::move(text), std::move(accept), required);
}

void Flags::add_switch(const std::string& name, FlagText text, bool& target) {
  const Accept accept = [&target](const std::string& value) -> Result<void> {
    if (value != "true" && value != "false")
      return fail(ErrorCode::kInvalid, "'" + value + "' is neither true nor false");
    target = value == "true";
    return {};
  };
  impl_->add(name, Kind::kSwitch, std::move(text), accept, false);
}

std::optional<int> Flags::parse(int argc, char** argv) {
  Impl& i = *impl_;
  try {
    i.app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::printf("%s", i.app.help().c_str());
    return 0;
  } catch (const CLI::ParseError& error) {
    return i.complain(std::string(error.what()) + " (see --help)");
  }
  if (i.version) {
    std::printf("%s %s\n", i.program.c_str(), SLUICE_VERSION);
    return 0;
  }
  if (i.config_path.empty()) {
    if (const char* env = std::getenv((i.prefix + "CONFIG").c_str())) i.config_path = env;
  }
  toml::table file;
  if (!i.config_path.empty()) {
    auto read = i.read_file(i.config_path);
    if (!read) return i.complain(read.error().message);
    file = std::move(*read);
  }
  if (auto checked = i.check_keys(file, i.config_path); !checked)
    return i.complain(checked.error().message);
  if (auto resolved = i.resolve(file, i.config_path); !resolved)
    return i.complain(resolved.error().message);
  return std::nullopt;
}

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
