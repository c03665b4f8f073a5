#include "relay/api/api_server.h"

#include <utility>

#include "common/address.h"
#include "relay/api/answers.h"
#include "relay/api/limits.h"

namespace sluice::relay::api {
namespace {

constexpr std::string_view kPrefix = "/api/";

std::optional<ApiMethod> method_of(std::string_view path) {
  if (!path.starts_with(kPrefix)) return std::nullopt;
  return method_named(path.substr(kPrefix.size()));
}

}  // namespace

ApiServer::ApiServer(event_base* base, UniqueFd socket, ApiService& service, const KeyTable* keys,
                     const TimeSource& time)
    : base_(base),
      service_(service),
      keys_(keys),
      name_(local_name(socket.get())),
      free_event_(make_event<&ApiServer::free_closed>(base, -1, 0, this)),
      listener_(base, std::move(socket), "a connection of the API", time,
                [this](UniqueFd fd) { accept(std::move(fd)); }),
      self_(std::make_shared<ApiServer*>(this)) {
}

ApiServer::~ApiServer() {
  *self_ = nullptr;
}

void ApiServer::accept(UniqueFd fd) {
  const bool full = stats_.connections >= kConnectionsMax;
  if (full) ++stats_.refused_full;
  // Where even the refusals are too many, the close has to say it.
  if (stats_.connections >= kConnectionsMax + kRefusalsMax) return;
  const std::uint64_t id = next_id_++;
  auto made = std::make_unique<HttpConnection>(base_, std::move(fd), id, *this);
  HttpConnection* connection = connections_.emplace(id, std::move(made)).first->second.get();
  ++stats_.connections;
  if (full) connection->refuse(503);
}

int ApiServer::http_admit(const HttpHead& head) {
  // Who has no key learns nothing else.
  if (keys_ != nullptr && !keys_->knows(head.key)) {
    ++stats_.refused_key;
    return 401;
  }
  const bool known = method_of(head.path).has_value();
  if (!known || head.method != "POST") {
    ++stats_.refused_unknown;
    return known ? 405 : 404;
  }
  if (in_flight_ >= kRequestsInFlightMax || body_bytes_ + head.body_bytes > kBodiesBytesMax) {
    ++stats_.refused_full;
    return 503;
  }
  ++in_flight_;
  body_bytes_ += head.body_bytes;
  return 200;
}

void ApiServer::http_finished(std::size_t body_bytes) {
  --in_flight_;
  body_bytes_ -= body_bytes;
}

void ApiServer::http_request(HttpConnection& connection, const std::string& path,
                             std::string body) {
  const std::optional<ApiMethod> method = method_of(path);
  if (!method) return connection.answer(404, http_refusal(404));
  service_.call(*method, body,
                [self = self_, id = connection.id(), method = *method](const ApiReply& reply) {
                  if (*self != nullptr) (*self)->answer(id, method, reply);
                });
}

void ApiServer::answer(std::uint64_t connection, ApiMethod method, const ApiReply& reply) {
  // Who has gone meanwhile misses it.
  const auto found = connections_.find(connection);
  if (found != connections_.end()) found->second->answer(200, reply_json(method, reply));
}

std::string ApiServer::http_refusal(int status) {
  switch (status) {
    case 401:
      return error_json({ErrorNumber::kUnauthorized, "no key, or a wrong one"});
    case 404:
      return error_json({ErrorNumber::kMethodNotFound, {}});
    case 405:
      return error_json({ErrorNumber::kBadRequest, "POST only"});
    case 411:
      ++stats_.refused_malformed;
      return error_json({ErrorNumber::kBadRequest, "a body needs a Content-Length"});
    case 413:
      ++stats_.refused_too_large;
      return error_json({ErrorNumber::kBadRequest,
                         "a body has " + std::to_string(kBodyBytesMax) + " bytes at most"});
    case 408:
      return error_json({ErrorNumber::kBadRequest, "the request did not come in time"});
    case 503:
      return error_json({ErrorNumber::kTooManyRequests, {}});
    default:
      ++stats_.refused_malformed;
      return error_json({ErrorNumber::kBadRequest, "no HTTP request that can be read"});
  }
}

void ApiServer::http_closed(HttpConnection& connection) {
  --stats_.connections;
  auto node = connections_.extract(connection.id());
  closed_.push_back(std::move(node.mapped()));
  event_active(free_event_.get(), 0, 0);
}

void ApiServer::free_closed() {
  closed_.clear();
}

void ApiServer::take_in(bool on) {
  listener_.accept_on(on);
  for (auto& [id, connection] : connections_) connection->take_in(on);
}

void ApiServer::stop() {
  listener_.stop();
  std::vector<HttpConnection*> all;
  for (auto& [id, connection] : connections_) all.push_back(connection.get());
  for (HttpConnection* connection : all) connection->end();
}

}  // namespace sluice::relay::api
