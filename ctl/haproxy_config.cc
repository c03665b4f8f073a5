#include "ctl/haproxy_config.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "ctl/haproxy_condition.h"

namespace sluice::ctl {
namespace {

/// `.if` within `.if`; HAProxy's own bound is 1024.
constexpr std::size_t kBlocksMax = 1024;

constexpr std::array<std::string_view, 20> kSections = {
    "global",   "defaults",  "frontend", "backend",     "listen",      "peers",      "resolvers",
    "userlist", "mailers",   "program",  "ring",        "log-forward", "cache",      "http-errors",
    "fcgi-app", "crt-store", "traces",   "log-profile", "acme",        "healthcheck"};

bool begins_section(std::string_view word) {
  return std::find(kSections.begin(), kSections.end(), word) != kSections.end();
}

/// One `.if` with its `.elif` and `.else`.
struct Block {
  bool active = false;  ///< the lines of the branch count
  bool taken = false;   ///< an earlier branch, this one included, has counted
  bool outer = false;   ///< the lines around the block count
  std::size_t line = 0;
};

class ConfigReader {
 public:
  explicit ConfigReader(const HaproxyVariables& environment)
      : environment_(environment),
        variables_([this](std::string_view name) { return value_of(name); }) {}

  Result<void> line(std::string_view text) {
    ++number_;
    HaproxyWords split = split_haproxy_line(text, variables_);
    for (const std::string& word : split.words) expanded_ += word.size() + 1;
    if (expanded_ > kHaproxyExpandedBytesMax)
      return fail(ErrorCode::kTooLarge, "with its variables replaced it is over 8 MiB");
    const bool directive = !split.words.empty() && split.words.front().starts_with('.');
    if (!split.problem.empty() && active()) fault(std::move(split.problem));
    if (split.words.empty()) return {};
    if (directive) {
      condition(split.words);
    } else if (active()) {
      add(std::move(split.words));
    }
    return {};
  }

  HaproxyConfig end() {
    for (const Block& block : blocks_) out_.faults.push_back({block.line, ".if without .endif"});
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool active() const { return blocks_.empty() || blocks_.back().active; }

  void fault(std::string problem) { out_.faults.push_back({number_, std::move(problem)}); }

  void add(std::vector<std::string> words) {
    if (begins_section(words.front())) return begin(words);
    if (out_.sections.empty()) return fault("'" + words.front() + "' before any section");
    HaproxySection& section = out_.sections.back();
    if (section.kind == "global") set_variables(words);
    section.lines.push_back({number_, std::move(words)});
  }

  void begin(const std::vector<std::string>& words) {
    HaproxySection section{words[0], {}, {}, number_, {}};
    std::size_t next = 1;
    if (words.size() > next && !(words[next] == "from" && words.size() > next + 1))
      section.name = words[next++];
    if (words.size() > next + 1 && words[next] == "from") section.from = words[next + 1];
    out_.sections.push_back(std::move(section));
  }

  void condition(const std::vector<std::string>& words) {
    const std::string& word = words.front();
    if (word == ".if") {
      if (blocks_.size() == kBlocksMax) return fault("too many .if within each other");
      const bool outer = active();
      const bool holds = outer && holds_for(words);
      blocks_.push_back({holds, holds, outer, number_});
      return;
    }
    if (word != ".elif" && word != ".else" && word != ".endif") return;  // .notice and its like
    if (blocks_.empty()) return fault(word + " without .if");
    Block& block = blocks_.back();
    if (word == ".endif") {
      blocks_.pop_back();
      return;
    }
    block.active = block.outer && !block.taken && (word == ".else" || holds_for(words));
    block.taken = block.taken || block.active;
  }

  [[nodiscard]] bool holds_for(const std::vector<std::string>& words) const {
    std::string condition;
    for (std::size_t i = 1; i < words.size(); ++i) condition.append(words[i]).append(" ");
    return haproxy_condition_holds(condition, variables_);
  }

  void set_variables(const std::vector<std::string>& words) {
    const std::string& word = words.front();
    if ((word == "setenv" || word == "presetenv") && words.size() > 2) {
      if (word == "setenv" || !value_of(words[1])) set_[words[1]] = words[2];
    } else if (word == "unsetenv") {
      for (std::size_t i = 1; i < words.size(); ++i) set_[words[i]] = std::nullopt;
    } else if (word == "resetenv") {
      reset({words.begin() + 1, words.end()});
    }
  }

  /// Only these are left.
  void reset(const std::vector<std::string>& names) {
    std::map<std::string, std::optional<std::string>, std::less<>> kept;
    for (const std::string& name : names) kept[name] = value_of(name);
    set_ = std::move(kept);
    cleared_ = true;
  }

  [[nodiscard]] std::optional<std::string> value_of(std::string_view name) const {
    if (name == ".LINE") return std::to_string(number_);
    if (name == ".SECTION") return section_name();
    if (const auto found = set_.find(name); found != set_.end()) return found->second;
    if (cleared_) return std::nullopt;
    return environment_(name);
  }

  [[nodiscard]] std::string section_name() const {
    if (out_.sections.empty()) return {};
    const HaproxySection& section = out_.sections.back();
    return section.name.empty() ? section.kind : section.name;
  }

  const HaproxyVariables& environment_;
  HaproxyVariables variables_;
  HaproxyConfig out_;
  std::vector<Block> blocks_;
  std::map<std::string, std::optional<std::string>, std::less<>> set_;  ///< none: unset
  bool cleared_ = false;  ///< resetenv: what the environment has no longer counts
  std::size_t number_ = 0;
  std::size_t expanded_ = 0;
};

}  // namespace

Result<HaproxyConfig> parse_haproxy_config(std::string_view text,
                                           const HaproxyVariables& environment) {
  if (text.size() > kHaproxyFileBytesMax) return fail(ErrorCode::kTooLarge, "it is over 1 MiB");
  if (text.find('\0') != std::string_view::npos)
    return fail(ErrorCode::kInvalid, "it holds a 0 byte: no configuration file");
  if (std::count(text.begin(), text.end(), '\n') > static_cast<std::ptrdiff_t>(kHaproxyLinesMax))
    return fail(ErrorCode::kTooLarge, "it has more than 50,000 lines");
  ConfigReader reader(environment);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (auto read = reader.line(text.substr(0, end)); !read)
      return tl::make_unexpected(read.error());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return reader.end();
}

}  // namespace sluice::ctl
