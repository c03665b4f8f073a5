// RFC 6455 on the client's side, written from the RFC alone: an oracle that shares no code with the
// gateway.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::test {

enum class WsOpcode : std::uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

struct WsFrame {
  WsOpcode opcode = WsOpcode::kText;
  bool fin = true;
  std::string payload;
};

struct UpgradeRequest {
  std::string path = "/";
  std::string host = "localhost";
  std::string origin;  ///< empty: no Origin header
  std::map<std::string, std::string>
      headers;         ///< further or replacing ones; an empty value leaves the header out
  std::string before;  ///< raw bytes ahead of the request (a PROXY header)
  std::string method = "GET";
};

inline constexpr std::string_view kUpgradeKey = "dGhlIHNhbXBsZSBub25jZQ==";

/// The request's bytes, `before` included.
[[nodiscard]] std::string upgrade_bytes(const UpgradeRequest& request);
/// What a server must answer to `key` in Sec-WebSocket-Accept.
[[nodiscard]] std::string accept_of(std::string_view key);

/// One frame as a client sends it (masked).
[[nodiscard]] std::string client_frame(WsOpcode opcode, std::string_view payload, bool fin = true);
/// The same unmasked, which a server has to refuse.
[[nodiscard]] std::string unmasked_frame(WsOpcode opcode, std::string_view payload);
[[nodiscard]] std::string close_payload(std::uint16_t code, std::string_view reason);

/// Takes bytes of a server, gives frames. Throws HarnessError when the server breaks the RFC.
class WsReader {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  [[nodiscard]] std::optional<WsFrame> next();
  [[nodiscard]] std::size_t buffered() const { return buffer_.size() - at_; }

 private:
  void compact();
  void check(const WsFrame& frame, std::uint8_t first, std::uint8_t second);

  std::string buffer_;
  std::size_t at_ = 0;
  bool in_message_ = false;
};

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace sluice::test
