#include "gateway/forwarded.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "common/check.h"

namespace sluice::gateway {
namespace {

/// Of one element of Forwarded; RFC 7239 has four.
constexpr std::size_t kParametersMax = 8;

/// One element: an address, or that there is one which is not told.
struct Node {
  std::optional<ClientAddress> address;
};

struct Fault {
  const char* problem;
};
template <typename T>
using Parsed = tl::expected<T, Fault>;

[[nodiscard]] tl::unexpected<Fault> malformed(const char* problem) {
  return tl::make_unexpected(Fault{problem});
}

[[nodiscard]] std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || text.size() > 5 || value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

/// RFC 7239 6.3: "_" and letters, digits, ".", "_", "-".
[[nodiscard]] bool is_obfuscated(std::string_view text) {
  constexpr std::string_view kAllowed =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-";
  return text.size() > 1 && text.front() == '_' &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

/// "192.0.2.1", "[2001:db8::1]", either with ":PORT"; "unknown", "_hidden". X-Forwarded-For has no
/// grammar of its own; beside these it has IPv6 addresses without brackets.
[[nodiscard]] Parsed<Node> parse_node(std::string_view text, bool bare_v6) {
  const auto bad = [] { return malformed("an element is no address, unknown or _identifier"); };
  if (bare_v6) {
    const auto ip = IpAddress::parse(text);
    if (ip) return Node{ClientAddress{*ip, 0, false}};
  }
  const bool bracketed = text.starts_with('[');
  const std::size_t name_end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (name_end == std::string_view::npos) return bad();
  const std::string_view name = text.substr(bracketed ? 1 : 0, name_end - (bracketed ? 1 : 0));
  std::string_view rest = text.substr(name_end + (bracketed ? 1 : 0));
  std::uint16_t port = 0;
  if (!rest.empty()) {
    if (!rest.starts_with(':')) return bad();
    rest.remove_prefix(1);
    const auto number = parse_port(rest);
    if (!number && !is_obfuscated(rest)) return bad();
    port = number.value_or(0);
  }
  if (!bracketed && (equals_ignoring_case(name, "unknown") || is_obfuscated(name))) return Node{};
  // Brackets are IPv6's, and a name without them has no colon any more.
  const auto ip = IpAddress::parse(name);
  if (!ip || bracketed != (name.find(':') != std::string_view::npos)) return bad();
  return Node{ClientAddress{*ip, port, false}};
}

/// The walk from the end: fed with nodes, it knows when it has arrived.
class Walk {
 public:
  explicit Walk(const std::vector<Cidr>& trusted) : trusted_(trusted) {}
  /// True: nothing in front of this one matters.
  [[nodiscard]] bool arrived_at(const Parsed<Node>& node) {
    if (!node) return end(ForwardedVerdict::kMalformed, node.error().problem);
    if (++hops_ > kForwardedHopsMax) return end(ForwardedVerdict::kMalformed, "too many elements");
    if (!node->address) return end(ForwardedVerdict::kUnknown, "");
    found_.verdict = ForwardedVerdict::kClient;
    found_.address = *node->address;
    return !contains_any(trusted_, found_.address.ip);
  }
  [[nodiscard]] const ForwardedClient& found() const { return found_; }

 private:
  bool end(ForwardedVerdict verdict, const char* problem) {
    found_.verdict = verdict;
    found_.problem = problem;
    return true;
  }

  const std::vector<Cidr>& trusted_;
  std::size_t hops_ = 0;
  ForwardedClient found_;
};

// ---- X-Forwarded-For

[[nodiscard]] bool walk_list(std::string_view list, Walk& walk) {
  while (!list.empty()) {
    const std::size_t comma = list.rfind(',');
    const std::size_t begin = comma == std::string_view::npos ? 0 : comma + 1;
    const std::string_view element = trim_blanks(list.substr(begin));
    // Empty elements say nothing (RFC 9110 5.6.1).
    if (!element.empty() && walk.arrived_at(parse_node(element, true))) return true;
    list = list.substr(0, comma == std::string_view::npos ? 0 : comma);
  }
  return false;
}

// ---- Forwarded: quoted strings may hold commas, so a line is read from its beginning

void skip_blanks(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
}

/// token / quoted-string (RFC 9110 5.6.2, 5.6.4), unquoted.
[[nodiscard]] Parsed<std::string> take_value(std::string_view& rest) {
  std::string value;
  if (!rest.starts_with('"')) {
    const std::size_t end = std::min(rest.find_first_of(",; \t"), rest.size());
    value = rest.substr(0, end);
    if (!is_token(value)) return malformed("a value is neither a token nor quoted");
    rest.remove_prefix(end);
    return value;
  }
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return value;
    }
    if (rest[i] == '\\' && ++i == rest.size()) break;
    value.push_back(rest[i]);
  }
  return malformed("a quoted string has no end");
}

struct Parameter {
  std::string_view name;
  std::string value;
};

/// NAME=VALUE and the blanks behind it.
[[nodiscard]] Parsed<Parameter> take_parameter(std::string_view& rest) {
  const std::size_t equals = rest.find('=');
  if (equals == std::string_view::npos || !is_token(rest.substr(0, equals)))
    return malformed("an element is not NAME=VALUE");
  const std::string_view name = rest.substr(0, equals);
  rest.remove_prefix(equals + 1);
  Parsed<std::string> value = take_value(rest);
  if (!value) return tl::make_unexpected(value.error());
  skip_blanks(rest);
  if (!rest.empty() && rest.front() != ';' && rest.front() != ',')
    return malformed("something stands behind a value");
  return Parameter{name, std::move(*value)};
}

/// One element, and the comma behind it. Nothing: an empty one.
[[nodiscard]] Parsed<std::optional<Node>> take_element(std::string_view& rest) {
  std::optional<Node> node;
  std::array<std::string_view, kParametersMax> names;
  std::size_t count = 0;
  for (skip_blanks(rest); !rest.empty() && rest.front() != ','; skip_blanks(rest)) {
    if (rest.front() == ';') {
      rest.remove_prefix(1);
      continue;
    }
    const Parsed<Parameter> parameter = take_parameter(rest);
    if (!parameter) return tl::make_unexpected(parameter.error());
    for (std::size_t i = 0; i < count; ++i) {
      if (equals_ignoring_case(parameter->name, names[i]))
        return malformed("a parameter stands twice");
    }
    if (count == names.size()) return malformed("an element has too many parameters");
    names[count++] = parameter->name;
    if (!node) node.emplace();  // stays so where it is not said for whom
    if (!equals_ignoring_case(parameter->name, "for")) continue;
    const Parsed<Node> named = parse_node(parameter->value, false);
    if (!named) return tl::make_unexpected(named.error());
    node = *named;
  }
  if (!rest.empty()) rest.remove_prefix(1);
  return node;
}

[[nodiscard]] bool walk_line(std::string_view line, Walk& walk) {
  std::array<Node, kForwardedHopsMax> nodes;
  std::size_t count = 0;
  while (!line.empty()) {
    Parsed<std::optional<Node>> element = take_element(line);
    if (!element) return walk.arrived_at(tl::make_unexpected(element.error()));
    if (!*element) continue;
    if (count == nodes.size()) return walk.arrived_at(malformed("too many elements"));
    nodes[count++] = **element;
  }
  while (count > 0) {
    if (walk.arrived_at(nodes[--count])) return true;
  }
  return false;
}

}  // namespace

std::string_view header_name(ForwardedHeader which) {
  switch (which) {
    case ForwardedHeader::kOff:
      return "";
    case ForwardedHeader::kXForwardedFor:
      return "x-forwarded-for";
    case ForwardedHeader::kForwarded:
      return "forwarded";
  }
  CHECK(false);
}

ForwardedClient forwarded_client(const HttpHead& head, ForwardedHeader which,
                                 const std::vector<Cidr>& trusted) {
  if (which == ForwardedHeader::kOff) return {};
  const bool listed = which == ForwardedHeader::kXForwardedFor;
  Walk walk(trusted);
  const auto headers = head.headers();
  for (auto line = headers.rbegin(); line != headers.rend(); ++line) {
    if (!equals_ignoring_case(line->name, header_name(which))) continue;
    if (listed ? walk_list(line->value, walk) : walk_line(line->value, walk)) break;
  }
  return walk.found();
}

}  // namespace sluice::gateway
