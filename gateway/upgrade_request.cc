#include "gateway/upgrade_request.h"

#include <algorithm>
#include <optional>

#include "proto/names.h"

namespace sluice::gateway {
namespace {

constexpr std::string_view kChannelPath = "/channel/";
constexpr std::string_view kDemoPath = "/demo";
constexpr std::string_view kCentrifugePath = "/connection/websocket";

[[nodiscard]] bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

[[nodiscard]] tl::unexpected<Refusal> refuse(RefusalReason reason, int status, std::string text) {
  return tl::make_unexpected(Refusal{reason, status, std::move(text)});
}

[[nodiscard]] int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

/// Takes "/demo" off the front of a path that has it.
[[nodiscard]] ProtocolKind take_protocol(std::string_view& path, const UpgradeOptions& options) {
  const bool is_demo = options.demo && path.starts_with(kDemoPath) &&
                       (path.size() == kDemoPath.size() || path[kDemoPath.size()] == '/');
  if (!is_demo) return ProtocolKind::kPlain;
  path.remove_prefix(kDemoPath.size());
  if (path.empty()) path = "/";
  return ProtocolKind::kDemo;
}

/// Whether the target's query has `name` with that value, both as they stand.
[[nodiscard]] bool query_says(std::string_view target, std::string_view name,
                              std::string_view value) {
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return false;
  std::string_view query = target.substr(mark + 1);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view one = query.substr(0, end);
    if (one.size() == name.size() + 1 + value.size() && one.starts_with(name) &&
        one[name.size()] == '=' && one.ends_with(value))
      return true;
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return false;
}

[[nodiscard]] tl::expected<std::string, Refusal> channel_of(std::string_view path,
                                                            const UpgradeOptions& options) {
  if (path == "/") return options.default_channel;
  if (!path.starts_with(kChannelPath) || path.find('/', kChannelPath.size()) != path.npos) {
    return refuse(RefusalReason::kPath, 404, "not found: clients connect to / or to /channel/NAME");
  }
  std::optional<std::string> name = percent_decode(path.substr(kChannelPath.size()));
  if (!name || !valid_channel_name(*name)) {
    return refuse(RefusalReason::kChannelName, 400,
                  "bad channel name: 1 to 128 of A-Z a-z 0-9 . _ ~ : - are allowed, and not "
                  "'sluice:' in front");
  }
  return std::move(*name);
}

/// Base64 of 16 bytes (RFC 6455 4.1).
[[nodiscard]] bool valid_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") &&
         std::all_of(key.begin(), key.begin() + 22,
                     [](char c) { return is_alphanumeric(c) || c == '+' || c == '/'; });
}

[[nodiscard]] bool announces_body(const HttpHead& head) {
  if (head.count("transfer-encoding") != 0) return true;
  const std::size_t lengths = head.count("content-length");
  return lengths > 1 || (lengths == 1 && *head.find("content-length") != "0");
}

[[nodiscard]] bool same_origin(std::string_view allowed, std::string_view origin) {
  const Result<std::string> a = parse_origin(allowed);
  const Result<std::string> b = parse_origin(origin);
  return a && b && *a == *b;
}

[[nodiscard]] bool origin_allowed(const HttpHead& head, const UpgradeOptions& options) {
  if (options.allowed_origins.empty()) return true;
  const std::size_t origins = head.count("origin");
  if (origins != 1) return origins == 0;
  const std::string_view origin = *head.find("origin");
  return std::any_of(options.allowed_origins.begin(), options.allowed_origins.end(),
                     [&](const std::string& allowed) { return same_origin(allowed, origin); });
}

/// The client's first choice that `takes` says yes to.
template <typename Takes>
void choose_subprotocol(const HttpHead& head, Takes takes) {
  for (const HttpHeader& header : head.headers()) {
    if (!equals_ignoring_case(header.name, "sec-websocket-protocol")) continue;
    std::string_view list = header.value;
    while (!list.empty()) {
      const std::size_t comma = std::min(list.find(','), list.size());
      if (takes(trim_blanks(list.substr(0, comma)))) return;
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
  }
}

void choose_protocol(const HttpHead& head, const UpgradeOptions& options, UpgradeRequest& out) {
  choose_subprotocol(head, [&](std::string_view wanted) {
    for (const Subprotocol& known : options.subprotocols) {
      if (known.name != wanted) continue;
      out.subprotocol = known.name;
      out.protocol = known.kind;
      return true;
    }
    return false;
  });
}

/// SDKs of some languages name the encoding as subprotocol, others in the query.
void choose_encoding(const HttpHead& head, UpgradeRequest& out) {
  choose_subprotocol(head, [&](std::string_view wanted) {
    if (wanted != kCentrifugeJsonName && wanted != kCentrifugeProtobufName) return false;
    out.subprotocol = wanted;
    return true;
  });
  const bool protobuf = out.subprotocol.empty()
                            ? query_says(head.target, "format", "protobuf") ||
                                  query_says(head.target, "cf_protocol", "protobuf")
                            : out.subprotocol == kCentrifugeProtobufName;
  out.protocol = protobuf ? ProtocolKind::kCentrifugeProtobuf : ProtocolKind::kCentrifugeJson;
  out.frame_pings = query_says(head.target, "cf_ws_frame_ping_pong", "true");
}

void keep_headers(const HttpHead& head, const UpgradeOptions& options, UpgradeRequest& out) {
  for (const std::string& name : options.forwarded_headers) {
    std::string value;
    bool found = false;
    for (const HttpHeader& header : head.headers()) {
      if (!equals_ignoring_case(header.name, name)) continue;
      if (found) value += ", ";
      found = true;
      value += header.value;
    }
    if (found) out.headers.emplace_back(name, std::move(value));
  }
}

/// The handshake's own headers (RFC 6455 4.2.1).
[[nodiscard]] std::optional<Refusal> check_handshake(const HttpHead& head) {
  if (head.version_minor != 1 || !head.has_token("upgrade", "websocket") ||
      !head.has_token("connection", "upgrade")) {
    return Refusal{RefusalReason::kNotUpgrade, 426,
                   "this is a WebSocket address: connect with a WebSocket client"};
  }
  if (head.count("sec-websocket-version") != 1 || *head.find("sec-websocket-version") != "13") {
    return Refusal{RefusalReason::kWebSocketVersion, 426,
                   "WebSocket version 13 is spoken here (Sec-WebSocket-Version)"};
  }
  if (head.count("sec-websocket-key") != 1 || !valid_key(*head.find("sec-websocket-key"))) {
    return Refusal{RefusalReason::kWebSocketKey, 400,
                   "Sec-WebSocket-Key must be there once: base64 of 16 bytes"};
  }
  if (announces_body(head)) {
    return Refusal{RefusalReason::kBody, 400, "an upgrade request has no body"};
  }
  return std::nullopt;
}

}  // namespace

tl::expected<UpgradeRequest, Refusal> judge_upgrade(const HttpHead& head,
                                                    const UpgradeOptions& options) {
  if (head.method != "GET") return refuse(RefusalReason::kMethod, 405, "only GET is served here");
  std::string_view path = request_path(head.target);
  const bool centrifuge = path == kCentrifugePath;
  if (centrifuge && !options.centrifuge) {
    return refuse(RefusalReason::kPath, 404,
                  "not found: the Centrifuge protocol is served with --rules or --open-access");
  }
  const ProtocolKind protocol = take_protocol(path, options);
  tl::expected<std::string, Refusal> channel =
      centrifuge ? std::string() : channel_of(path, options);
  if (!channel) return tl::make_unexpected(std::move(channel.error()));
  if (std::optional<Refusal> fault = check_handshake(head)) {
    return tl::make_unexpected(std::move(*fault));
  }
  if (!origin_allowed(head, options)) {
    return refuse(RefusalReason::kOrigin, 403, "this Origin may not connect");
  }
  // A Centrifuge client names its channels later, and its token.
  if (!centrifuge && options.plain_may_subscribe && !options.plain_may_subscribe(*channel)) {
    return refuse(RefusalReason::kNotAllowed, 403,
                  "channel " + *channel + " is not open to clients without a token");
  }
  UpgradeRequest request;
  request.channel = std::move(*channel);
  request.sec_websocket_key = *head.find("sec-websocket-key");
  request.host = head.find("host").value_or("");
  request.origin = head.find("origin").value_or("");
  request.user_agent = head.find("user-agent").value_or("");
  request.protocol = protocol;
  if (centrifuge) {
    choose_encoding(head, request);
  } else if (protocol == ProtocolKind::kPlain) {
    choose_protocol(head, options, request);
  }
  keep_headers(head, options, request);
  return request;
}

std::string_view request_path(std::string_view target) {
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    const std::size_t slash =
        scheme == std::string_view::npos ? scheme : target.find('/', scheme + 3);
    if (slash == std::string_view::npos) return {};
    target.remove_prefix(slash);
  }
  return target.substr(0, target.find('?'));
}

bool valid_channel_name(std::string_view name) {
  constexpr std::string_view kOther = "._~:-";
  return !name.empty() && name.size() <= kChannelBytesMax &&
         !name.starts_with(proto::kReservedPrefix) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return is_alphanumeric(c) || kOther.find(c) != std::string_view::npos;
         });
}

Result<std::string> parse_origin(std::string_view origin) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalid,
                "'" + std::string(origin) + "' is not an origin: scheme://host[:port] or null");
  };
  const std::string text = to_lower(origin);
  if (text == "null") return text;
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string::npos || scheme_end == 0) return bad();
  const std::string scheme = text.substr(0, scheme_end);
  std::string host = text.substr(scheme_end + 3);
  if (host.empty() || host.find_first_of("/?#@ ,\"\\") != std::string::npos) return bad();
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  if (!has_port) return scheme + "://" + host;
  const std::string port = host.substr(colon + 1);
  host.resize(colon);
  if (host.empty() || port.empty() || port.size() > 5 ||
      port.find_first_not_of("0123456789") != std::string::npos) {
    return bad();
  }
  const bool is_default = (port == "80" && (scheme == "http" || scheme == "ws")) ||
                          (port == "443" && (scheme == "https" || scheme == "wss"));
  return scheme + "://" + host + (is_default ? "" : ":" + port);
}

}  // namespace sluice::gateway
