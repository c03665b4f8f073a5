#include "relay/api/http_head.h"

#include <algorithm>
#include <charconv>

#include "relay/api/limits.h"

namespace sluice::relay::api {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == y; });
}

bool is_token(std::string_view text) {
  static constexpr std::string_view kOther = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           kOther.find(c) != std::string_view::npos;
  });
}

bool is_visible(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

/// A field's value: no control characters but the tab.
bool is_field_text(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7F;
  });
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

/// Reads line after line; the first refusal stays.
class HeadReader {
 public:
  HttpHead read(std::string_view text) {
    const std::size_t line_end = text.find("\r\n");
    request_line(text.substr(0, line_end));
    text.remove_prefix(line_end + 2);
    while (head_.status == 200 && !text.empty()) {
      const std::size_t end = text.find("\r\n");
      field(text.substr(0, end));
      text.remove_prefix(end + 2);
    }
    if (head_.status == 200) judge();
    return head_;
  }

 private:
  void refuse(int status) {
    if (head_.status == 200) head_.status = status;
  }

  void request_line(std::string_view line) {
    head_.status = 200;
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return refuse(400);
    head_.method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (!is_token(head_.method) || !is_visible(target)) return refuse(400);
    head_.path = target.substr(0, target.find('?'));
    if (version != "HTTP/1.1" && version != "HTTP/1.0")
      return refuse(version.starts_with("HTTP/") ? 505 : 400);
    old_ = version == "HTTP/1.0";
    head_.keep_alive = !old_;
  }

  void field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return refuse(400);
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    // No space before the colon, no line that goes on: is_token sees to both.
    if (!is_token(name) || !is_field_text(value)) return refuse(400);
    if (same(name, "host")) ++hosts_;
    if (same(name, "content-length")) length(value);
    if (same(name, "transfer-encoding")) transfer_encoding_ = true;
    if (same(name, "connection")) connection(value);
    if (same(name, "expect")) expect(value);
    if (same(name, "x-api-key")) key(value);
    if (same(name, "authorization")) authorization(value);
  }

  void length(std::string_view value) {
    std::size_t bytes = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bytes);
    if (error == std::errc::result_out_of_range) return refuse(413);
    if (has_length_ || error != std::errc() || end != value.data() + value.size())
      return refuse(400);
    has_length_ = true;
    head_.body_bytes = bytes;
  }

  void connection(std::string_view value) {
    while (!value.empty()) {
      const std::size_t comma = value.find(',');
      const std::string_view option = trim(value.substr(0, comma));
      if (same(option, "close")) closes_ = true;
      if (same(option, "keep-alive")) keeps_ = true;
      value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
    }
  }

  void expect(std::string_view value) {
    if (!same(value, "100-continue")) return refuse(417);
    head_.expects_continue = !old_;
  }

  void authorization(std::string_view value) {
    constexpr std::string_view kScheme = "apikey ";
    if (value.size() > kScheme.size() && same(value.substr(0, kScheme.size()), kScheme))
      key(trim(value.substr(kScheme.size())));
  }

  void key(std::string_view value) {
    // Two keys: which of them somebody on the way has looked at can't be known.
    if (!head_.key.empty()) return refuse(400);
    head_.key = value;
  }

  void judge() {
    if (hosts_ > 1 || (hosts_ == 0 && !old_)) return refuse(400);
    if (transfer_encoding_) return refuse(has_length_ || old_ ? 400 : 411);
    if (head_.body_bytes > kBodyBytesMax) return refuse(413);
    head_.keep_alive = !closes_ && (head_.keep_alive || keeps_);
  }

  HttpHead head_;
  bool old_ = false;
  bool has_length_ = false;
  bool transfer_encoding_ = false;
  bool closes_ = false;
  bool keeps_ = false;
  int hosts_ = 0;
};

}  // namespace

HttpHead parse_http_head(std::string_view bytes) {
  const std::string_view seen = bytes.substr(0, kHeadBytesMax);
  // Who speaks something else, TLS for one, is not waited for.
  if (!seen.empty() && !is_token(seen.substr(0, 1))) return {.status = 400};
  const std::size_t end = seen.find("\r\n\r\n");
  if (end == std::string_view::npos) return {.status = bytes.size() >= kHeadBytesMax ? 431 : 0};
  HttpHead head = HeadReader().read(seen.substr(0, end + 2));
  head.bytes = end + 4;
  return head;
}

}  // namespace sluice::relay::api
