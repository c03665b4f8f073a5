#include "bench/fanout/floors/push_parser.h"

#include <charconv>

namespace sluice::fanout {
namespace {

/// Reads the three elements of a push one behind the other.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] Push::State state() const { return state_; }
  [[nodiscard]] std::size_t at() const { return at_; }

  /// The number behind `mark`, and over its line's end.
  std::size_t number(char mark) {
    const std::size_t end = bytes_.find('\n', at_);
    if (state_ != Push::State::kWhole) return 0;
    if (end == std::string_view::npos) return fail(Push::State::kPartial);
    std::size_t value = 0;
    const char* first = bytes_.data() + at_ + 1;
    const auto parsed = std::from_chars(first, bytes_.data() + end - 1, value);
    if (bytes_[at_] != mark || parsed.ec != std::errc{}) return fail(Push::State::kBroken);
    at_ = end + 1;
    return value;
  }

  std::string_view bulk() {
    const std::size_t length = number('$');
    if (state_ != Push::State::kWhole) return {};
    if (bytes_.size() - at_ < length + 2) {
      fail(Push::State::kPartial);
      return {};
    }
    const std::string_view text = bytes_.substr(at_, length);
    at_ += length + 2;
    return text;
  }

 private:
  std::size_t fail(Push::State state) {
    state_ = state;
    return 0;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  Push::State state_ = Push::State::kWhole;
};

}  // namespace

Push next_push(std::string_view bytes) {
  Push push;
  if (bytes.empty()) return push;
  Cursor cursor(bytes);
  const std::size_t elements = cursor.number('*');
  const std::string_view kind = cursor.bulk();
  push.channel = cursor.bulk();
  push.is_message = kind == "message";
  if (push.is_message) {
    push.payload = cursor.bulk();
  } else if (cursor.state() == Push::State::kWhole) {
    (void)cursor.number(':');
  }
  push.state = cursor.state();
  if (push.state == Push::State::kWhole && elements != 3) push.state = Push::State::kBroken;
  push.size = cursor.at();
  return push;
}

}  // namespace sluice::fanout
