// HTTP/1.1 as far as tests need it: read one response, GET an admin page.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tests/process/support/socket.h"

namespace sluice::test {

struct HttpResponse {
  int status = 0;  ///< 0: no response at all (connection closed or reset before one)
  std::string reason;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// Reads the head of a response; what came behind it is left in `rest`.
HttpResponse read_head(Socket& socket, std::string& rest, Millis wait = 10s);
/// A whole response: by Content-Length, else to the end of the connection.
HttpResponse read_response(Socket& socket, Millis wait = 10s);
/// Sends `request` as it stands and reads the response.
HttpResponse http_exchange(const Endpoint& to, std::string_view request, Millis wait = 10s);
HttpResponse http_get(const Endpoint& to, const std::string& target, Millis wait = 10s);

}  // namespace sluice::test
