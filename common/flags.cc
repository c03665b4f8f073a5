#include "common/flags.h"

#include <toml++/toml.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "common/small_file.h"

namespace sluice {
namespace {

constexpr int kExitUsage = 2;
constexpr std::size_t kConfigBytesMax = 1U << 20U;

enum class Kind { kValue, kList, kSwitch, kPositional };

struct Setting {
  std::string name;
  Kind kind = Kind::kValue;
  Flags::Accept accept;
  bool required = false;
  CLI::Option* option = nullptr;
  std::vector<std::string> given;  ///< on the command line
};

/// What one of the four places says about a setting.
struct Values {
  std::string place;  ///< as a message names it
  std::vector<std::string> texts;
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
  bool daemon = true;
  bool version = false;
  std::vector<std::unique_ptr<Setting>> settings;

  Impl(std::string name, std::string description, std::string environment_prefix)
      : app(std::move(description), name),
        program(std::move(name)),
        prefix(std::move(environment_prefix)) {}

  [[nodiscard]] std::string variable(const Setting& s) const {
    std::string name = prefix;
    for (const char c : s.name)
      name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
  }
  Setting& add(const std::string& name, Kind kind, FlagText text, Accept accept, bool required);
  [[nodiscard]] Result<Values> values_of(const Setting& s, const toml::table& file,
                                         const std::string& path) const;
  [[nodiscard]] Result<Values> from_file(const Setting& s, const toml::node& node,
                                         const std::string& path) const;
  [[nodiscard]] Result<void> resolve(const toml::table& file, const std::string& path) const;
  [[nodiscard]] Result<void> check_keys(const toml::table& file, const std::string& path) const;
  [[nodiscard]] Result<toml::table> read_file(const std::string& path) const;
  int complain(const std::string& message) const {
    std::string line = program + ": " + message;
    // One line, whatever was typed.
    std::replace_if(
        line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
    std::fprintf(stderr, "%s\n", line.c_str());
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
  if (required && kind != Kind::kPositional) text.help += " (required)";
  if (kind == Kind::kPositional) {
    s.option = app.add_option_function<std::string>(
        name, [&s](const std::string& value) { s.given = {value}; }, text.help);
    s.option->type_name("")->required(required);
    return s;
  }
  if (kind == Kind::kSwitch) {
    s.option = app.add_flag_function(
        "--" + name, [&s](std::int64_t times) { s.given = {times > 0 ? "true" : "false"}; },
        text.help);
  } else {
    s.option = app.add_option_function<std::vector<std::string>>(
        "--" + name, [&s](const std::vector<std::string>& values) { s.given = values; }, text.help);
    s.option->allow_extra_args(false)->expected(1)->type_name(text.value);
    s.option->multi_option_policy(kind == Kind::kList ? CLI::MultiOptionPolicy::TakeAll
                                                      : CLI::MultiOptionPolicy::Throw);
  }
  s.option->group(text.group);
  return s;
}

Result<toml::table> Flags::Impl::read_file(const std::string& path) const {
  const Result<std::string> text = read_small_file(path, kConfigBytesMax);
  if (!text) return fail(text.error().code, "--config: " + path + ": " + text.error().message);
  try {
    return toml::parse(*text, path);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalid, "--config: " + path + ":" +
                                         std::to_string(error.source().begin.line) + ": " +
                                         std::string(error.description()));
  }
}

Result<void> Flags::Impl::check_keys(const toml::table& file, const std::string& path) const {
  for (const auto& [key, node] : file) {
    const std::string_view name = key.str();
    const bool known = std::any_of(settings.begin(), settings.end(),
                                   [&](const auto& s) { return s->name == name; });
    if (known && !node.is_table()) continue;
    std::string message = path + ":" + std::to_string(key.source().begin.line);
    if (node.is_table()) {
      message.append(": [").append(name);
      message.append("]: tables are not used here; write settings at the top level");
    } else {
      message.append(": unknown key '").append(name);
      message.append("'; keys are the names of the flags, see --help");
    }
    return fail(ErrorCode::kInvalid, message);
  }
  return {};
}

Result<Values> Flags::Impl::from_file(const Setting& s, const toml::node& node,
                                      const std::string& path) const {
  Values found{path + ":" + std::to_string(node.source().begin.line) + ": " + s.name, {}};
  std::string text;
  // No other place can hold a 0 byte, and what takes C strings would read to it only.
  const auto whole = [&text] { return text.find('\0') == std::string::npos; };
  const auto cut = [&found] { return fail(ErrorCode::kInvalid, found.place + ": has a 0 byte"); };
  if (const auto* array = node.as_array(); array != nullptr && s.kind == Kind::kList) {
    for (const toml::node& element : *array) {
      if (!scalar_text(element, text)) {
        return fail(ErrorCode::kInvalid, found.place + ": write strings in the array");
      }
      if (!whole()) return cut();
      found.texts.push_back(text);
    }
    return found;
  }
  if (!scalar_text(node, text)) {
    return fail(ErrorCode::kInvalid,
                found.place + ": write " +
                    (s.kind == Kind::kList ? "an array of strings"
                                           : "a string, a whole number or true or false"));
  }
  if (!whole()) return cut();
  found.texts.push_back(text);
  return found;
}

/// From the first place that names it; none: no text.
Result<Values> Flags::Impl::values_of(const Setting& s, const toml::table& file,
                                      const std::string& path) const {
  const bool positional = s.kind == Kind::kPositional;
  if (s.option->count() > 0) return Values{(positional ? "" : "--") + s.name, s.given};
  if (positional) return Values{};
  const std::string env_name = variable(s);
  if (const char* env = std::getenv(env_name.c_str())) {
    return Values{env_name + " (--" + s.name + ")",
                  s.kind == Kind::kList ? split_commas(env) : std::vector<std::string>{env}};
  }
  if (const toml::node* node = file.get(s.name)) return from_file(s, *node, path);
  return Values{};
}

Result<void> Flags::Impl::resolve(const toml::table& file, const std::string& path) const {
  for (const auto& setting : settings) {
    const Setting& s = *setting;
    const Result<Values> found = values_of(s, file, path);
    if (!found) return tl::make_unexpected(found.error());
    if (s.required && found->texts.empty()) {
      return fail(ErrorCode::kInvalid, "--" + s.name + " is missing: give the flag, " +
                                           variable(s) + ", or '" + s.name +
                                           "' in the --config file");
    }
    for (const std::string& text : found->texts) {
      const Result<void> accepted = s.accept(text);
      if (!accepted) {
        return fail(accepted.error().code, found->place + ": " + accepted.error().message);
      }
    }
  }
  return {};
}

Flags::Flags(std::string program, std::string description, std::string environment_prefix,
             bool daemon)
    : impl_(std::make_unique<Impl>(std::move(program), std::move(description),
                                   std::move(environment_prefix))) {
  CLI::App& app = impl_->app;
  impl_->daemon = daemon;
  app.set_help_flag("-h,--help", "Show this help");
  if (!daemon) {
    app.footer("Every flag can also come from the environment (" + impl_->prefix +
               "NAME, dashes as underscores); what the command\nline says wins. Durations take "
               "ms, s, m, h.");
    return;
  }
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

void Flags::add(const std::string& name, const FlagText& text, Accept accept, bool required) {
  impl_->add(name, Kind::kValue, text, std::move(accept), required);
}

void Flags::add_list(const std::string& name, const FlagText& text, Accept accept, bool required) {
  impl_->add(name, Kind::kList, text, std::move(accept), required);
}

void Flags::add_switch(const std::string& name, const FlagText& text, bool& target) {
  const Accept accept = [&target](const std::string& value) -> Result<void> {
    if (value != "true" && value != "false")
      return fail(ErrorCode::kInvalid, "'" + value + "' is neither true nor false");
    target = value == "true";
    return {};
  };
  impl_->add(name, Kind::kSwitch, text, accept, false);
}

void Flags::add_positional(const std::string& name, const std::string& help, Accept accept,
                           bool required) {
  impl_->add(name, Kind::kPositional, {"", "", "", help}, std::move(accept), required);
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
  if (i.config_path.empty() && i.daemon) {
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

}  // namespace sluice
