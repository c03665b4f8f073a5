// Step 1 of a message's path: where libwebsockets lives. Takes over sockets whose upgrade request
// has been read and judged, lets libwebsockets shake hands and parse frames, and passes events on.
// Sessions see no libwebsockets.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "common/random.h"
#include "common/unique_fd.h"
#include "gateway/client_address.h"
#include "gateway/sender.h"
#include "gateway/session_input.h"
#include "gateway/session_table.h"
#include "gateway/upgrade_request.h"

struct ev_loop;
struct lws_context;
struct lws_vhost;

namespace sluice::gateway {

class EndpointEvents {
 public:
  virtual ~EndpointEvents() = default;
  /// The 101 is on its way. `session` has id, address and transport; protocol is the receiver's to
  /// set.
  virtual void opened(ClientSession& session, const UpgradeRequest& request) = 0;
  virtual void fragment(ClientSession& session, const Fragment& fragment) = 0;
  virtual void pong(ClientSession& session) = 0;
  /// Last event of the session, which is destroyed afterwards.
  virtual void closed(ClientSession& session) = 0;
  /// An adopted connection ended before it was opened.
  virtual void never_opened(const ClientAddress& address) = 0;
};

class WsEndpoint {
 public:
  WsEndpoint(struct ev_loop* loop, SessionTable& sessions, Sender& sender, EndpointEvents& events,
             const TimeSource& time, Random& random);
  ~WsEndpoint();
  WsEndpoint(const WsEndpoint&) = delete;
  WsEndpoint& operator=(const WsEndpoint&) = delete;

  /// Creates the libwebsockets context on the loop.
  [[nodiscard]] Result<void> start();
  /// Takes the socket over; `rest` is what was read behind the head. Ends in opened() or
  /// never_opened().
  void adopt(UniqueFd fd, const UpgradeRequest& request, const ClientAddress& address,
             std::string_view rest);

  /// From the libwebsockets callback: reason is an enum lws_callback_reasons.
  int callback(struct lws* wsi, int reason, void* user, void* in, std::size_t length);

 private:
  struct Pending {
    const UpgradeRequest* request = nullptr;
    ClientAddress address;
    bool opened = false;
  };

  int on_established(struct lws* wsi, ClientSession** slot);
  int on_writeable(ClientSession& session);
  void on_closed(ClientSession** slot);

  struct ev_loop* loop_;
  SessionTable& sessions_;
  Sender& sender_;
  EndpointEvents& events_;
  const TimeSource& time_;
  Random& random_;
  Pending* adopting_ = nullptr;
  lws_context* context_ = nullptr;
  lws_vhost* vhost_ = nullptr;
};

}  // namespace sluice::gateway
