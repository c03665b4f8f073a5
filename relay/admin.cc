#include "relay/admin.h"

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/address.h"

namespace sluice::relay {
namespace {

constexpr ev_ssize_t kHeadBytesMax = 8192;
constexpr ev_ssize_t kBodyBytesMax = 1024;
constexpr int kIdleSeconds = 10;

const char* phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

}  // namespace

AdminServer::AdminServer(event_base* base, UniqueFd socket, const AdminPages& pages)
    : pages_(pages), name_(local_name(socket.get())), http_(evhttp_new(base)) {
  CHECK(http_ != nullptr);
  evhttp_set_max_headers_size(http_.get(), kHeadBytesMax);
  evhttp_set_max_body_size(http_.get(), kBodyBytesMax);
  evhttp_set_timeout(http_.get(), kIdleSeconds);
  // All methods come through, so that each gets the same answer: only GET.
  evhttp_set_allowed_methods(http_.get(), EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                              EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                              EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                              EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
  evhttp_set_gencb(http_.get(), &AdminServer::on_request, this);
  CHECK(evhttp_accept_socket(http_.get(), socket.release()) == 0);
}

void AdminServer::on_request(evhttp_request* request, void* self) noexcept {
  const bool get = evhttp_request_get_command(request) == EVHTTP_REQ_GET;
  const char* target = evhttp_request_get_uri(request);
  const HttpReply reply = static_cast<AdminServer*>(self)->pages_.handle(
      get ? "GET" : "OTHER", target == nullptr ? "" : target);
  evkeyvalq* headers = evhttp_request_get_output_headers(request);
  evhttp_add_header(headers, "Content-Type", reply.content_type.c_str());
  evhttp_add_header(headers, "Cache-Control", "no-store");
  if (reply.status == 405) evhttp_add_header(headers, "Allow", "GET");
  evbuffer_add(evhttp_request_get_output_buffer(request), reply.body.data(), reply.body.size());
  evhttp_send_reply(request, reply.status, phrase(reply.status), nullptr);
}

}  // namespace sluice::relay
