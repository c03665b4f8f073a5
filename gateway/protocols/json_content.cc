#include "gateway/protocols/json_content.h"

#include <bitset>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/utf8.h"

namespace sluice::gateway {
namespace {

constexpr std::uint64_t kEachByte = 0x0101010101010101U;

/// Whether one of eight bytes is a quote, a backslash or a control character.
bool has_special(std::uint64_t word) {
  const auto zero = [](std::uint64_t x) { return (x - kEachByte) & ~x; };
  const std::uint64_t control = (word - kEachByte * 0x20U) & ~word;
  const std::uint64_t quote = zero(word ^ (kEachByte * '"'));
  const std::uint64_t backslash = zero(word ^ (kEachByte * '\\'));
  return ((control | quote | backslash) & (kEachByte * 0x80U)) != 0;
}

bool is_special(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

/// Where the first special character is; text.size(): there is none.
std::size_t find_special(std::string_view text, std::size_t at) {
  std::uint64_t word = 0;
  while (at + sizeof word <= text.size()) {
    std::memcpy(&word, text.data() + at, sizeof word);
    if (has_special(word)) break;
    at += sizeof word;
  }
  while (at < text.size() && !is_special(text[at])) ++at;
  return at;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hexadecimal(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// One value, read without recursion. The text is valid UTF-8.
class Grammar {
 public:
  explicit Grammar(std::string_view text) : text_(text) {}

  [[nodiscard]] bool holds() {
    space();
    while (!ended_) {
      if (!(member_ ? key() : true) || !value()) return false;
    }
    return at_ == text_.size();
  }
  [[nodiscard]] bool line_breaks() const { return line_breaks_; }

 private:
  [[nodiscard]] bool is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  [[nodiscard]] bool take(char c) {
    if (!is(c)) return false;
    ++at_;
    return true;
  }

  void space() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n' || c == '\r') {
        line_breaks_ = true;
      } else if (c != ' ' && c != '\t') {
        return;
      }
    }
  }

  bool key() {
    if (!take('"') || !string()) return false;
    space();
    if (!take(':')) return false;
    space();
    return true;
  }

  /// A scalar with all that it closes, or the beginning of a container.
  bool value() {
    if (at_ == text_.size()) return false;
    const char c = text_[at_];
    if (c == '{' || c == '[') return open(c == '{');
    return scalar(c) && closed();
  }

  bool open(bool object) {
    if (depth_ == kJsonDepthMax) return false;
    ++at_;
    objects_[depth_++] = object;
    member_ = object;
    space();
    if (!is(object ? '}' : ']')) return true;
    ++at_;
    --depth_;
    return closed();
  }

  /// Behind a value: up to where the next one begins, or to the end of all.
  bool closed() {
    space();
    while (depth_ > 0) {
      const bool object = objects_[depth_ - 1];
      if (take(',')) {
        member_ = object;
        space();
        return true;
      }
      if (!take(object ? '}' : ']')) return false;
      --depth_;
      space();
    }
    ended_ = true;
    return true;
  }

  bool scalar(char c) {
    switch (c) {
      case '"':
        ++at_;
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  /// Behind the opening quote.
  bool string() {
    for (;;) {
      at_ = find_special(text_, at_);
      if (at_ == text_.size()) return false;
      const char c = text_[at_++];
      if (c == '"') return true;
      if (c != '\\' || !escape()) return false;
    }
  }

  bool escape() {
    if (at_ == text_.size()) return false;
    const char c = text_[at_++];
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ == text_.size() || !is_hexadecimal(text_[at_])) return false;
    }
    return true;
  }

  bool digits() {
    const std::size_t first = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > first;
  }

  bool number() {
    (void)take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) (void)take('-');
      return digits();
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::bitset<kJsonDepthMax> objects_;  ///< by depth: an object, else an array
  std::size_t depth_ = 0;
  bool member_ = false;  ///< a key comes before the value
  bool ended_ = false;
  bool line_breaks_ = false;
};

/// A string of valid UTF-8; nearly all need no escape.
void append_valid_string(std::string& out, std::string_view text) {
  if (find_special(text, 0) == text.size()) {
    out.append(1, '"').append(text).append(1, '"');
  } else {
    out.append(nlohmann::json(text).dump());
  }
}

}  // namespace

JsonContent json_content(proto::Bytes bytes) {
  if (!valid_utf8(bytes)) return JsonContent::kBytes;
  Grammar grammar(proto::as_text(bytes));
  if (!grammar.holds()) return JsonContent::kText;
  return grammar.line_breaks() ? JsonContent::kBrokenLines : JsonContent::kValue;
}

void append_json_value(std::string& out, proto::Bytes bytes) {
  const std::string_view text = proto::as_text(bytes);
  switch (json_content(bytes)) {
    case JsonContent::kValue:
      out.append(text);
      return;
    case JsonContent::kBrokenLines:
      append_without_line_breaks(out, text);
      return;
    case JsonContent::kText:
      append_json_string(out, text);
      return;
    case JsonContent::kBytes:
      break;
  }
  out.append(R"({"b64data":")");
  append_base64(out, text);
  out.append("\"}");
}

void append_json_string(std::string& out, std::string_view text) {
  if (valid_utf8(proto::as_bytes(text))) {
    append_valid_string(out, text);
    return;
  }
  using Json = nlohmann::json;
  out.append(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace));
}

void append_without_line_breaks(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find_first_of("\n\r");
    out.append(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace sluice::gateway
