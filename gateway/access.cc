#include "gateway/access.h"

namespace sluice::gateway {
namespace {

std::string count_text(std::size_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace

Access::Access(AccessOptions options) : options_(std::move(options)), rules_(Rules()) {
}

Result<void> Access::load() {
  if (auto read = read_rules(); !read) return read;
  return read_keys();
}

Result<void> Access::read_rules() {
  if (options_.open_access) rules_.replace(Rules::open_access());
  if (options_.rules_file.empty()) return {};
  auto rules = Rules::read(options_.rules_file);
  if (!rules) return fail(rules.error().code, "--rules: " + rules.error().message);
  rules_.replace(std::move(*rules));
  return {};
}

Result<void> Access::read_keys() {
  if (!options_.has_key_files()) return {};
  auto loaded = tokens_.load(options_.tokens);
  if (loaded) return {};
  // The message begins with the file's name; a key file may name more of them.
  const bool is_jwks = !options_.tokens.jwks_file.empty() &&
                       loaded.error().message.starts_with(options_.tokens.jwks_file + ":");
  return fail(loaded.error().code,
              (is_jwks ? "--token-jwks-file: " : "--token-key-file: ") + loaded.error().message);
}

std::vector<std::string> Access::reload() {
  std::vector<std::string> faults;
  if (!options_.rules_file.empty()) {
    const auto read = read_rules();
    ++(read ? stats_.rules_read : stats_.rules_refused);
    if (!read) faults.push_back(read.error().message + "; the rules stay as they were");
  }
  if (options_.has_key_files()) {
    const auto read = read_keys();
    ++(read ? stats_.keys_read : stats_.keys_refused);
    if (!read) faults.push_back(read.error().message + "; the keys stay as they were");
  }
  return faults;
}

std::vector<std::string> Access::summary() const {
  std::vector<std::string> lines;
  if (!options_.rules_file.empty()) {
    lines.push_back("rules of " + options_.rules_file + ": " +
                    count_text(rules_.now().namespaces(), "namespace", "namespaces"));
  }
  if (options_.has_key_files())
    lines.push_back("tokens: " + count_text(tokens_.keys(), "key", "keys"));
  return lines;
}

std::vector<std::string> Access::warnings() const {
  std::vector<std::string> lines = tokens_.warnings();
  if (options_.open_access) {
    lines.emplace_back(
        "OPEN ACCESS (--open-access): whoever can connect may read and write every channel, "
        "without a token. For trying things out; never where strangers can connect");
  }
  const ConnectionRules& connection = rules_.now().connection();
  if (!options_.rules_file.empty() && !tokens_.has_keys() && !connection.anonymous &&
      !connection.connect_hook) {
    lines.emplace_back(
        "nobody can connect: the rules let in neither anonymous clients nor whom a hook lets in, "
        "and there are no keys of tokens (--token-key-file, --token-jwks-file)");
  }
  return lines;
}

}  // namespace sluice::gateway
