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

  Result<HaproxySetup> build() {
    Lines global;
    bool first = true;
    for (const HaproxySection& section : config_.sections) {
      if (too_large_ != nullptr) return fail(ErrorCode::kTooLarge, too_large_);
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
    if (too_large_ != nullptr) return fail(ErrorCode::kTooLarge, too_large_);
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
    if (setup_.proxies.size() == kProxiesMax) {
      too_large_ = "it has more than 2,000 frontends and backends";
      return;
    }
    Lines lines = inherited(section.from.empty() ? latest_ : find(section.from));
    lines.insert(lines.end(), proxy.own.begin(), proxy.own.end());
    lines_ += lines.size();
    if (lines_ > kInheritedLinesMax) {
      too_large_ = "with what its proxies inherit it has more than 500,000 lines";
      return;
    }
    for (const HaproxyLine* line : lines) {
      if (begins_with(*line, {"acl"}) && line->words.size() > 2)
        proxy.acls.emplace(line->words[1], line);
    }
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
  const char* too_large_ = nullptr;
  std::size_t lines_ = 0;
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
    const auto [first, last] = proxy.acls.equal_range(
        word->starts_with('!') ? std::string_view(*word).substr(1) : std::string_view(*word));
    for (auto acl = first; acl != last; ++acl) {
      const std::vector<std::string>& words = acl->second->words;
      out.insert(out.end(), words.begin() + 2, words.end());
      if (out.size() > kConditionWordsMax) return out;
    }
  }
  return out;
}

Result<HaproxySetup> build_setup(const HaproxyConfig& config,
                                 const std::vector<std::string>& only) {
  auto setup = SetupBuilder(config).build();
  if (setup) {
    choose_judged(*setup, only);
    setup->fronts = judged_fronts(*setup);
  }
  return setup;
}

}  // namespace sluice::ctl
