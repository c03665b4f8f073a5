// What an admin connection has been sent, as far as read-only pages need it: the request line, and
// where the head ends. Pure.
#pragma once

#include <string_view>

namespace sluice::relay {

struct AdminRequest {
  /// 0: more is needed. 200: method and target are there. Else the refusal: 400, 431, 505.
  int status = 0;
  std::string_view method{};
  std::string_view target{};
};

/// `bytes` is all that has been received; at most kAdminHeadBytesMax of it may be a head.
[[nodiscard]] AdminRequest parse_admin_request(std::string_view bytes);

}  // namespace sluice::relay
