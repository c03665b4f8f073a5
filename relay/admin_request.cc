#include "relay/admin_request.h"

#include <algorithm>

#include "relay/limits.h"

namespace sluice::relay {
namespace {

bool token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  });
}

bool printable_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

AdminRequest parse_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return {.status = 400};
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!token(method) || !printable_text(target) || !version.starts_with("HTTP/")) {
    return {.status = 400};
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return {.status = 505};
  if (!target.starts_with('/')) return {.status = 400};
  return {.status = 200, .method = method, .target = target};
}

}  // namespace

AdminRequest parse_admin_request(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, kAdminHeadBytesMax);
  // Whoever speaks something else (TLS, noise) is not waited for: what it sends has no line, or one
  // that is no request's.
  const auto alien = [](char c) { return (c < ' ' && c != '\r' && c != '\n' && c != '\t'); };
  const std::size_t line_end = head.find("\r\n");
  const std::string_view line = head.substr(0, line_end);
  if (std::any_of(line.begin(), line.end(), alien)) return {.status = 400};
  if (line_end != std::string_view::npos) {
    const AdminRequest request = parse_line(line);
    if (request.status != 200) return request;
    if (head.find("\r\n\r\n", line_end) != std::string_view::npos) return request;
  }
  return {.status = bytes.size() >= kAdminHeadBytesMax ? 431 : 0};
}

}  // namespace sluice::relay
