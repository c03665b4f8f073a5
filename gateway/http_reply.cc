#include "gateway/http_reply.h"

#include "common/check.h"

namespace sluice::gateway {

std::string build_reply(const Reply& reply) {
  std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  out.append(reason_phrase(reply.status));
  out.append("\r\nContent-Type: ").append(reply.content_type);
  out.append("\r\nContent-Length: ").append(std::to_string(reply.body.size()));
  out.append("\r\nCache-Control: no-store");
  out.append(reply.offers_upgrade ? "\r\nConnection: close, Upgrade" : "\r\nConnection: close");
  for (const ReplyHeader& header : reply.headers) {
    // Nothing that a client sent may end a line here.
    CHECK(header.value.find_first_of("\r\n") == std::string::npos);
    out.append("\r\n").append(header.name).append(": ").append(header.value);
  }
  out.append("\r\n\r\n");
  if (!reply.omit_body) out.append(reply.body);
  return out;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace sluice::gateway
