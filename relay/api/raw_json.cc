#include "relay/api/raw_json.h"

#include <cstddef>

namespace sluice::relay::api {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

/// Behind the string that begins at `at`.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at < text.size() ? at + 1 : text.size();
}

/// Behind the value that begins at `at`.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = end_of_string(text, at);
      if (depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    }
    // A number or word ends where something else begins.
    if (depth == 0 && (c == ',' || c == ':' || kSpace.find(c) != std::string_view::npos)) return at;
    ++at;
  }
  return at;
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  const std::size_t found = text.find_first_not_of(kSpace, at);
  return found == std::string_view::npos ? text.size() : found;
}

/// Takes the values between the brackets, one by one.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(trim_json(text)), at_(skip_space(text_, 1)) {}

  [[nodiscard]] bool more() const {
    return at_ < text_.size() && text_[at_] != '}' && text_[at_] != ']';
  }
  /// And skips the comma or colon behind it.
  std::string_view next() {
    const std::size_t end = end_of_value(text_, at_);
    const std::string_view value = text_.substr(at_, end - at_);
    at_ = skip_space(text_, end);
    if (at_ < text_.size() && (text_[at_] == ',' || text_[at_] == ':'))
      at_ = skip_space(text_, at_ + 1);
    return value;
  }

 private:
  std::string_view text_;
  std::size_t at_;
};

}  // namespace

std::string_view trim_json(std::string_view text) {
  const std::size_t first = skip_space(text, 0);
  const std::size_t last = text.find_last_not_of(kSpace);
  return last == std::string_view::npos ? std::string_view() : text.substr(first, last + 1 - first);
}

std::vector<RawMember> raw_members(std::string_view object) {
  std::vector<RawMember> members;
  for (Walk walk(object); walk.more();) {
    const std::string_view key = walk.next();
    members.push_back({key, walk.next()});
  }
  return members;
}

std::vector<std::string_view> raw_elements(std::string_view array) {
  std::vector<std::string_view> elements;
  for (Walk walk(array); walk.more();) elements.push_back(walk.next());
  return elements;
}

}  // namespace sluice::relay::api
