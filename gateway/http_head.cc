#include "gateway/http_head.h"

#include <algorithm>

#include "common/check.h"

namespace sluice::gateway {
namespace {

[[nodiscard]] char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

[[nodiscard]] bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

[[nodiscard]] bool is_visible_ascii(char c) {
  return c > 0x20 && c < 0x7f;
}

/// The next line without its CRLF; moves `rest` behind it. What comes from a HeadScanner has whole
/// lines only.
[[nodiscard]] std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n");
  CHECK(end != std::string_view::npos);
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

[[nodiscard]] HeadStatus parse_version(std::string_view version, HttpHead& out,
                                       const char*& problem) {
  if (version == "HTTP/1.1" || version == "HTTP/1.0") {
    out.version_minor = version.back() - '0';
    return HeadStatus::kOk;
  }
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() == 8 && version.starts_with("HTTP/") && digit(version[5]) &&
      version[6] == '.' && digit(version[7])) {
    problem = "only HTTP/1.1 and HTTP/1.0 are spoken here";
    return HeadStatus::kUnsupportedVersion;
  }
  problem = "the request line does not end with an HTTP version";
  return HeadStatus::kMalformed;
}

[[nodiscard]] HeadStatus parse_request_line(std::string_view line, HttpHead& out,
                                            const char*& problem) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    problem = "the request line is not METHOD TARGET VERSION";
    return HeadStatus::kMalformed;
  }
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  if (!is_token(out.method)) {
    problem = "the method is not a token";
    return HeadStatus::kMalformed;
  }
  if (!std::all_of(out.target.begin(), out.target.end(), is_visible_ascii)) {
    problem = "the target has a space, a control character or a byte above 126";
    return HeadStatus::kMalformed;
  }
  return parse_version(line.substr(last + 1), out, problem);
}

[[nodiscard]] const char* parse_header_line(std::string_view line, HttpHeader& out) {
  if (line.front() == ' ' || line.front() == '\t') return "a header is folded over two lines";
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "a header line has no colon";
  out.name = line.substr(0, colon);
  // Among them "Name :", which parsers have read in two ways.
  if (!is_token(out.name)) return "a header name is not a token followed by a colon";
  out.value = trim_blanks(line.substr(colon + 1));
  const bool clean = std::all_of(out.value.begin(), out.value.end(),
                                 [](char c) { return c == '\t' || !is_control(c); });
  return clean ? nullptr : "a header value has a control character";
}

[[nodiscard]] const char* check_host(const HttpHead& head) {
  const std::size_t hosts = head.count("host");
  if (hosts > 1) return "more than one Host header";
  if (hosts == 0 && head.version_minor == 1) return "no Host header";
  if (hosts == 1) {
    const std::string_view host = *head.find("host");
    if (!std::all_of(host.begin(), host.end(), is_visible_ascii) ||
        host.find_first_of("/?#@,") != std::string_view::npos) {
      return "the Host header is not a host";
    }
  }
  return nullptr;
}

}  // namespace

HeadScanner::Verdict HeadScanner::scan(std::string_view bytes, std::size_t head_bytes_max) {
  const std::size_t end = std::min(bytes.size(), head_bytes_max);
  while (position_ < end) {
    const char c = bytes[position_++];
    if (after_cr_) {
      if (c != '\n') return Verdict::kMalformed;
      after_cr_ = false;
      if (line_bytes_ == 0) return position_ == 2 ? Verdict::kMalformed : Verdict::kWhole;
      line_bytes_ = 0;
    } else if (c == '\r') {
      after_cr_ = true;
    } else if (is_control(c) && c != '\t') {
      return Verdict::kMalformed;
    } else {
      ++line_bytes_;
    }
  }
  return position_ >= head_bytes_max ? Verdict::kTooLarge : Verdict::kMore;
}

std::optional<std::string_view> HttpHead::find(std::string_view name) const {
  for (const HttpHeader& header : headers()) {
    if (equals_ignoring_case(header.name, name)) return header.value;
  }
  return std::nullopt;
}

std::size_t HttpHead::count(std::string_view name) const {
  const auto all = headers();
  return static_cast<std::size_t>(std::count_if(
      all.begin(), all.end(), [&](const auto& h) { return equals_ignoring_case(h.name, name); }));
}

bool HttpHead::has_token(std::string_view name, std::string_view token) const {
  for (const HttpHeader& header : headers()) {
    if (!equals_ignoring_case(header.name, name)) continue;
    std::string_view list = header.value;
    while (!list.empty()) {
      const std::size_t comma = std::min(list.find(','), list.size());
      if (equals_ignoring_case(trim_blanks(list.substr(0, comma)), token)) return true;
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
  }
  return false;
}

HeadStatus parse_head(std::string_view head, HttpHead& out, const char*& problem) {
  out.header_count = 0;
  std::string_view rest = head;
  const HeadStatus status = parse_request_line(take_line(rest), out, problem);
  if (status != HeadStatus::kOk) return status;
  for (std::string_view line = take_line(rest); !line.empty(); line = take_line(rest)) {
    if (out.header_count == kHeadersMax) {
      problem = "more than 100 headers";
      return HeadStatus::kTooManyHeaders;
    }
    problem = parse_header_line(line, out.header_store[out.header_count]);
    if (problem != nullptr) return HeadStatus::kMalformed;
    ++out.header_count;
  }
  problem = check_host(out);
  return problem == nullptr ? HeadStatus::kOk : HeadStatus::kMalformed;
}

bool is_token(std::string_view text) {
  constexpr std::string_view kOther = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alphanumeric(c) || kOther.find(c) != std::string_view::npos;
  });
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::string_view trim_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace sluice::gateway
