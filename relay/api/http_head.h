// The head of an HTTP/1.1 request as the server API reads it: strictly, for what two readers could
// take for two things has no place here (RFC 9112). Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::relay::api {

struct HttpHead {
  /// 0: more is needed. 200: all of it is there. Else the refusal: 400, 411, 413, 417, 431, 505.
  int status = 0;
  std::size_t bytes = 0;  ///< with the empty line behind it
  std::string_view method{};
  std::string_view path{};  ///< of the target, without the query
  std::size_t body_bytes = 0;
  bool keep_alive = false;
  bool expects_continue = false;
  std::string_view key{};  ///< X-API-Key, or Authorization: apikey …; empty: none
};

/// `bytes` is all that has been received of it and behind it.
[[nodiscard]] HttpHead parse_http_head(std::string_view bytes);

}  // namespace sluice::relay::api
