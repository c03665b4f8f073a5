// Builds whole HTTP replies for connections that end with them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::gateway {

struct ReplyHeader {
  std::string_view name;
  std::string value;
};

struct Reply {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string_view body;
  std::vector<ReplyHeader>
      headers;  ///< beside Content-Type, Content-Length, Cache-Control and Connection
  bool offers_upgrade =
      false;  ///< Connection names Upgrade too (RFC 9110 7.8); the Upgrade header is the caller's
  bool omit_body = false;  ///< answer to HEAD
};

/// HTTP/1.1, Connection: close.
[[nodiscard]] std::string build_reply(const Reply& reply);
/// "Not Found"; "Unknown" for codes that this project does not send.
[[nodiscard]] std::string_view reason_phrase(int status);

}  // namespace sluice::gateway
