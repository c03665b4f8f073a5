// The server API's listener: keys, bounds, and requests handed to the service.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/clock.h"
#include "common/unique_fd.h"
#include "relay/api/api_method.h"
#include "relay/api/api_service.h"
#include "relay/api/http_connection.h"
#include "relay/api/key_table.h"
#include "relay/event_handles.h"
#include "relay/socket_listener.h"

namespace sluice::relay::api {

/// Counters, never reset, but for the first.
struct ApiStats {
  std::size_t connections = 0;  ///< now
  // Requests that no method has seen.
  std::uint64_t refused_key = 0;
  std::uint64_t refused_full = 0;  ///< connections, requests or bodies
  std::uint64_t refused_too_large = 0;
  std::uint64_t refused_malformed = 0;
  std::uint64_t refused_unknown = 0;  ///< path or HTTP method
  std::uint64_t refused_timeout = 0;
};

class ApiServer final : public HttpConnectionOwner {
 public:
  /// `socket` listens. `keys`: null: who can connect may ask. All outlive this.
  ApiServer(event_base* base, UniqueFd socket, ApiService& service, const KeyTable* keys,
            const TimeSource& time);
  ~ApiServer() override;
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  /// Call every kTickInterval.
  void tick() { listener_.tick(); }
  /// Whether connections are accepted and requests read.
  void take_in(bool on);
  /// No more of it: what is under way is answered.
  void stop();
  /// No request waits for its answer.
  [[nodiscard]] bool quiet() const { return in_flight_ == 0; }
  [[nodiscard]] int descriptor() const { return listener_.descriptor(); }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const ApiStats& stats() const { return stats_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  [[nodiscard]] std::uint64_t accept_errors() const { return listener_.errors(); }

 private:
  int http_admit(const HttpHead& head) override;
  void http_request(HttpConnection& connection, const std::string& path, std::string body) override;
  void http_finished(std::size_t body_bytes) override;
  std::string http_refusal(int status) override;
  void http_timed_out() override { ++stats_.refused_timeout; }
  void http_closed(HttpConnection& connection) override;

  void accept(UniqueFd fd);
  void answer(std::uint64_t connection, ApiMethod method, const ApiReply& reply);
  void free_closed();

  event_base* base_;
  ApiService& service_;
  const KeyTable* keys_;
  std::string name_;
  ApiStats stats_;
  std::size_t in_flight_ = 0;
  std::size_t body_bytes_ = 0;
  std::uint64_t next_id_ = 1;
  EventPtr free_event_;
  std::unordered_map<std::uint64_t, std::unique_ptr<HttpConnection>> connections_;
  std::vector<std::unique_ptr<HttpConnection>> closed_;
  SocketListener listener_;
  /// Answers that come when this is gone find nobody.
  std::shared_ptr<ApiServer*> self_;
};

}  // namespace sluice::relay::api
