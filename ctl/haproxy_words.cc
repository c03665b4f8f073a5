#include "ctl/haproxy_words.h"

#include <algorithm>
#include <utility>

namespace sluice::ctl {
namespace {

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Reads one line from left to right; `rest_` is what has not been read.
class LineReader {
 public:
  LineReader(std::string_view line, const HaproxyVariables& variables)
      : rest_(line), variables_(variables) {}

  HaproxyWords read() {
    while (!rest_.empty() && out_.problem.empty()) {
      if (rest_.front() == '#' && quote_ == 0) break;
      step();
    }
    if (out_.problem.empty() && quote_ != 0)
      out_.problem = std::string("a ") + quote_ + " without its end";
    end_word();
    return std::move(out_);
  }

 private:
  void step() {
    const char c = rest_.front();
    if (is_blank(c) && quote_ == 0) {
      end_word();
      rest_.remove_prefix(1);
    } else if (c == quote_ || (quote_ == 0 && (c == '"' || c == '\''))) {
      // Quotes without anything between them are a word too.
      in_word_ = true;
      quote_ = quote_ == 0 ? c : '\0';
      rest_.remove_prefix(1);
    } else if (c == '\\' && quote_ != '\'') {
      escape();
    } else if (c == '$' && quote_ == '"') {
      variable();
    } else {
      put(std::string_view(&c, 1));
      rest_.remove_prefix(1);
    }
  }

  /// Other combinations than these stay as they are, the backslash too.
  void escape() {
    const char next = rest_.size() > 1 ? rest_[1] : '\0';
    if (next == 'x') return hexadecimal();
    std::string_view meant;
    switch (next) {
      case 'n':
        meant = "\n";
        break;
      case 'r':
        meant = "\r";
        break;
      case 't':
        meant = "\t";
        break;
      case ' ':
      case '\\':
      case '#':
      case '"':
      case '\'':
        meant = rest_.substr(1, 1);
        break;
      case '$':
        if (quote_ == '"') meant = "$";
        break;
      default:
        break;
    }
    put(meant.empty() ? rest_.substr(0, 1) : meant);
    rest_.remove_prefix(meant.empty() ? 1 : 2);
  }

  void hexadecimal() {
    const int high = rest_.size() > 3 ? hex_value(rest_[2]) : -1;
    const int low = rest_.size() > 3 ? hex_value(rest_[3]) : -1;
    if (high < 0 || low < 0) {
      out_.problem = "\\x without two hexadecimal digits";
      return;
    }
    const char byte = static_cast<char>(high * 16 + low);
    put(std::string_view(&byte, 1));
    rest_.remove_prefix(4);
  }

  /// $NAME, ${NAME}, ${NAME-what it is when it is not set}, ${NAME[*]}: the words of NAME.
  void variable() {
    rest_.remove_prefix(1);
    const bool braces = !rest_.empty() && rest_.front() == '{';
    if (braces) rest_.remove_prefix(1);
    std::size_t end = 0;
    while (end < rest_.size() &&
           (is_letter(rest_[end]) || rest_[end] == '.' || (end > 0 && is_digit(rest_[end]))))
      ++end;
    if (end == 0) {
      out_.problem = "a $ in double quotes that begins no variable's name";
      return;
    }
    const std::optional<std::string> value = variables_(rest_.substr(0, end));
    rest_.remove_prefix(end);
    if (braces) return variable_in_braces(value);
    if (value) put(*value);
  }

  void variable_in_braces(const std::optional<std::string>& value) {
    const std::size_t end = rest_.find('}');
    if (end == std::string_view::npos) {
      out_.problem = "a ${ without its }";
      return;
    }
    const std::string_view suffix = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    if (suffix.starts_with('-')) {
      put(value ? std::string_view(*value) : suffix.substr(1));
    } else if (suffix == "[*]" && value) {
      put_words(*value);
    } else if (!suffix.empty() && suffix != "[*]") {
      out_.problem = "a variable's name with a character that names don't have";
    } else if (value) {
      put(*value);
    }
  }

  void put_words(std::string_view value) {
    for (const char c : value) {
      if (is_blank(c)) {
        if (!word_.empty()) end_word();
      } else {
        put(std::string_view(&c, 1));
      }
    }
  }

  void put(std::string_view bytes) {
    bytes_ += bytes.size();
    if (bytes_ > kHaproxyLineBytesMax) {
      out_.problem = "a line of more than 16 KiB";
      return;
    }
    in_word_ = true;
    word_ += bytes;
  }

  void end_word() {
    if (!in_word_) return;
    in_word_ = false;
    if (out_.words.size() == kHaproxyWordsMax) {
      out_.problem = "a line of more than 512 words";
      return;
    }
    out_.words.push_back(std::exchange(word_, {}));
  }

  std::string_view rest_;
  const HaproxyVariables& variables_;
  HaproxyWords out_;
  std::string word_;
  std::size_t bytes_ = 0;
  bool in_word_ = false;
  char quote_ = 0;  ///< the one that is open
};

}  // namespace

HaproxyWords split_haproxy_line(std::string_view line, const HaproxyVariables& variables) {
  return LineReader(line, variables).read();
}

}  // namespace sluice::ctl
