#include "ctl/haproxy_lint/model.h"

#include <algorithm>
#include <map>

#include "ctl/haproxy_lint/traffic.h"

namespace sluice::ctl {
namespace {

/// defaults from defaults from …; also what ends a circle.
constexpr std::size_t kDefaultsDepthMax = 32;

using Lines = std::vector<const HaproxyLine*>;

Lines pointers(const HaproxySection& section) {
  Lines lines;
  for (const HaproxyLine& line : section.lines) lines.push_back(&line);
  return lines;
}

class SetupBuilder {
 public:
  explicit SetupBuilder(const HaproxyConfig& config) : config_(config) {}

  HaproxySetup build() {
    Lines global;
    bool first = true;
    for (const HaproxySection& section : config_.sections) {
      if (section.kind == "global") {
        if (first) setup_.global_line = section.line;
        first = false;
        const Lines lines = pointers(section);
        global.insert(global.end(), lines.begin(), lines.end());
      } else if (section.kind == "defaults") {
        latest_ = &section;
        if (!section.name.empty()) named_[section.name] = &section;
      } else if (section.kind == "frontend" || section.kind == "backend" ||
                 section.kind == "listen") {
        add_proxy(section);
      }
    }
    setup_.global = Settings(std::move(global));
    return std::move(setup_);
  }

 private:
  /// The lines that a section begins with.
  [[nodiscard]] Lines inherited(const HaproxySection* defaults) const {
    std::vector<const HaproxySection*> chain;
    while (defaults != nullptr && chain.size() < kDefaultsDepthMax) {
      chain.push_back(defaults);
      defaults = find(defaults->from);
    }
    Lines lines;
    for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
      const Lines more = pointers(**at);
      lines.insert(lines.end(), more.begin(), more.end());
    }
    return lines;
  }

  [[nodiscard]] const HaproxySection* find(const std::string& name) const {
    const auto found = named_.find(name);
    return found == named_.end() ? nullptr : found->second;
  }

  void add_proxy(const HaproxySection& section) {
    Proxy proxy;
    proxy.kind = section.kind;
    proxy.name = section.name;
    proxy.line = section.line;
    proxy.own = pointers(section);
    Lines lines = inherited(section.from.empty() ? latest_ : find(section.from));
    lines.insert(lines.end(), proxy.own.begin(), proxy.own.end());
    read_servers(proxy, lines);
    proxy.settings = Settings(std::move(lines));
    setup_.proxies.push_back(std::move(proxy));
  }

  /// A default-server line counts for the servers below it.
  static void read_servers(Proxy& proxy, const Lines& lines) {
    ServerParameters defaults;
    for (const HaproxyLine* line : lines) {
      const std::string& word = line->words.front();
      if (word == "default-server") read_server_parameters(*line, 1, defaults);
      if (word != "server" && word != "server-template") continue;
      if (auto server = read_server(*line, defaults)) proxy.servers.push_back(std::move(*server));
    }
  }

  const HaproxyConfig& config_;
  HaproxySetup setup_;
  const HaproxySection* latest_ = nullptr;
  std::map<std::string, const HaproxySection*> named_;
};

}  // namespace

bool Proxy::routes_on() const {
  return servers.empty() && (settings.has({"default_backend"}) || settings.has({"use_backend"}));
}

bool Proxy::http() const {
  const HaproxyLine* mode = settings.last({"mode"});
  return mode != nullptr && mode->words.size() > 1 && mode->words[1] == "http";
}

bool Proxy::many_servers() const {
  if (servers.empty()) return true;
  std::uint64_t count = 0;
  for (const Server& server : servers) count += server.count;
  return count > 1;
}

std::vector<std::string> condition_words(const Proxy& proxy, const HaproxyLine& line) {
  const auto begin = std::find_if(line.words.begin(), line.words.end(), [](const auto& word) {
    return word == "if" || word == "unless";
  });
  std::vector<std::string> out;
  for (auto word = begin; word != line.words.end(); ++word) {
    out.push_back(*word);
    const std::string name = word->starts_with('!') ? word->substr(1) : *word;
    for (const HaproxyLine* acl : proxy.settings.lines()) {
      if (!begins_with(*acl, {"acl", name})) continue;
      out.insert(out.end(), acl->words.begin() + 2, acl->words.end());
    }
  }
  return out;
}

HaproxySetup build_setup(const HaproxyConfig& config, const std::vector<std::string>& only) {
  HaproxySetup setup = SetupBuilder(config).build();
  choose_judged(setup, only);
  return setup;
}

}  // namespace sluice::ctl
