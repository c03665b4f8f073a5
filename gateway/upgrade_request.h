// Judges a request head: a WebSocket upgrade for a channel that this gateway serves, or a refusal
// with its reason. Pure.
//
// Paths: `/` is the default channel, `/channel/NAME` the named one; with `/demo` in front of either
// the demo page's protocol is spoken, where that is served. `/connection/websocket` is the
// Centrifuge protocol's: the encoding is chosen by subprotocol (centrifuge-json,
// centrifuge-protobuf) or query (format=protobuf, cf_protocol=protobuf), JSON by default. Elsewhere
// a query is allowed and ignored. NAME is percent-decoded, then 1 to 128 bytes of A-Z a-z 0-9 . _ ~
// : -
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"
#include "gateway/http_head.h"
#include "gateway/refusal.h"

namespace sluice::gateway {

inline constexpr std::size_t kChannelBytesMax = 128;

/// Which ClientProtocol serves the client.
enum class ProtocolKind : std::uint8_t { kPlain, kDemo, kCentrifugeJson, kCentrifugeProtobuf };
inline constexpr std::size_t kProtocolKinds = 4;

/// Sec-WebSocket-Protocol on the Centrifuge protocol's path; the endpoint answers with these.
inline constexpr const char* kCentrifugeJsonName = "centrifuge-json";
inline constexpr const char* kCentrifugeProtobufName = "centrifuge-protobuf";

/// A Sec-WebSocket-Protocol value that this gateway speaks.
struct Subprotocol {
  std::string name;
  ProtocolKind kind = ProtocolKind::kPlain;
};

struct UpgradeOptions {
  std::string default_channel = "livechat";
  /// scheme://host[:port] each, or "null"; empty: any. Requests without Origin pass: only browsers
  /// send it, and always do.
  std::vector<std::string> allowed_origins;
  /// The client's first choice that stands here is taken; none in common: plain, with no
  /// subprotocol in the answer.
  std::vector<Subprotocol> subprotocols;
  bool demo = false;        ///< serve /demo and /demo/channel/NAME
  bool centrifuge = false;  ///< serve /connection/websocket
  /// Whether the rules let a plain client have the channel; empty: any.
  std::function<bool(std::string_view channel)> plain_may_subscribe{};
  /// Of each request these headers are kept, for hooks; lower case. One that stands more than once
  /// is kept as one, its values joined by commas (RFC 9110 5.3).
  std::vector<std::string> forwarded_headers{};
};

struct UpgradeRequest {
  std::string channel;  ///< empty: the protocol's clients name theirs
  ProtocolKind protocol = ProtocolKind::kPlain;
  std::string subprotocol;  ///< to be named in the 101; empty: none
  std::string sec_websocket_key;
  std::string host;
  std::string origin;
  std::string user_agent;
  bool frame_pings =
      false;  ///< Centrifuge: the client wants WebSocket pings, not the protocol's own
  std::vector<std::pair<std::string, std::string>> headers;  ///< UpgradeOptions::forwarded_headers
};

[[nodiscard]] tl::expected<UpgradeRequest, Refusal> judge_upgrade(const HttpHead& head,
                                                                  const UpgradeOptions& options);

/// The path of a request target: without the query, and without scheme and host when a client sends
/// the absolute form (RFC 9112 3.2.2).
[[nodiscard]] std::string_view request_path(std::string_view target);
[[nodiscard]] bool valid_channel_name(std::string_view name);
/// In the form in which origins are compared: lower case, without the scheme's default port,
/// nothing behind the port.
[[nodiscard]] Result<std::string> parse_origin(std::string_view origin);

}  // namespace sluice::gateway
