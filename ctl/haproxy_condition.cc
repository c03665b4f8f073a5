#include "ctl/haproxy_condition.h"

#include <algorithm>
#include <cstddef>

namespace sluice::ctl {
namespace {

/// Parentheses and exclamation marks within each other.
constexpr int kDepthMax = 32;

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// From left to right; a term that can't be read holds and takes the rest.
class Condition {
 public:
  Condition(std::string_view text, const HaproxyVariables& variables)
      : rest_(text), variables_(variables) {}

  bool any() {
    bool holds = all();
    while (take("||")) holds = all() || holds;
    return holds;
  }

 private:
  bool all() {
    bool holds = term();
    while (take("&&")) holds = term() && holds;
    return holds;
  }

  bool term() {
    if (++depth_ > kDepthMax) return unreadable();
    bool holds = false;
    if (take("!")) {
      holds = !term();
    } else if (take("(")) {
      holds = any();
      if (!take(")")) holds = unreadable();
    } else {
      holds = predicate();
    }
    --depth_;
    return holds;
  }

  bool predicate() {
    const std::size_t end = std::min(rest_.find_first_of("(&|)"), rest_.size());
    const std::string_view word = trim(rest_.substr(0, end));
    const bool call = end < rest_.size() && rest_[end] == '(';
    if (!call) {
      rest_.remove_prefix(end);
      if (!word.empty() && word.find_first_not_of("0123456789") != std::string_view::npos)
        return unreadable();
      return word.find_first_not_of('0') != std::string_view::npos;
    }
    const std::size_t close = rest_.find(')', end);
    if (close == std::string_view::npos) return unreadable();
    const std::string_view arguments = rest_.substr(end + 1, close - end - 1);
    rest_.remove_prefix(close + 1);
    return call_holds(word, arguments);
  }

  [[nodiscard]] bool call_holds(std::string_view name, std::string_view arguments) const {
    if (name == "defined") return variables_(trim(arguments)).has_value();
    if (name == "streq" || name == "strneq") {
      const std::size_t comma = std::min(arguments.find(','), arguments.size());
      const std::string_view left = trim(arguments.substr(0, comma));
      const std::string_view right = trim(arguments.substr(std::min(comma + 1, arguments.size())));
      return (left == right) == (name == "streq");
    }
    return name != "version_before";
  }

  bool take(std::string_view token) {
    rest_ = trim(rest_);
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  bool unreadable() {
    rest_ = {};
    return true;
  }

  std::string_view rest_;
  const HaproxyVariables& variables_;
  int depth_ = 0;
};

}  // namespace

bool haproxy_condition_holds(std::string_view condition, const HaproxyVariables& variables) {
  return Condition(condition, variables).any();
}

}  // namespace sluice::ctl
