#include "bench/fanout/dialects/http_replies.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace sluice::fanout {
namespace {

constexpr std::size_t kHeadBytesMax = 16384;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kStatusBegin = "HTTP/1.1 2";
constexpr std::string_view kLengthName = "content-length:";

bool same_letters(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == b;
}

std::optional<std::size_t> content_length(std::string_view head) {
  const auto at =
      std::search(head.begin(), head.end(), kLengthName.begin(), kLengthName.end(), same_letters);
  if (at == head.end()) return std::nullopt;
  std::string_view rest =
      head.substr(static_cast<std::size_t>(at - head.begin()) + kLengthName.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  std::size_t length = 0;
  const auto [stopped, error] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
  if (error != std::errc{}) return std::nullopt;
  return length;
}

}  // namespace

bool HttpReplies::take_head() {
  const std::size_t end = bytes_.find(kHeadEnd);
  if (end == std::string::npos) {
    broken_ = bytes_.size() > kHeadBytesMax;
    return false;
  }
  const std::string_view head(bytes_.data(), end + 2);
  const auto length = content_length(head);
  if (!head.starts_with(kStatusBegin) || !length) {
    broken_ = true;
    return false;
  }
  body_left_ = *length;
  in_body_ = true;
  bytes_.erase(0, end + kHeadEnd.size());
  return true;
}

bool HttpReplies::feed(std::string_view bytes) {
  bytes_.append(bytes);
  while (!broken_) {
    if (!in_body_ && !take_head()) break;
    const std::size_t taken = std::min(body_left_, bytes_.size());
    bytes_.erase(0, taken);
    body_left_ -= taken;
    if (body_left_ != 0) break;
    in_body_ = false;
    ++count_;
  }
  return !broken_;
}

}  // namespace sluice::fanout
