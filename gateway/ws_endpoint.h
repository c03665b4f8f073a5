// Step 1 of a message's path: where libwebsockets lives. Takes over sockets whose upgrade request
// has been read and judged, lets libwebsockets shake hands and take data frames apart, and passes
// events on. Sessions see no libwebsockets.
//
// Every byte of a client passes the session's scanner (ws_scanner) before libwebsockets gets it:
// through recv_hook, or here when it came behind the request head. Control frames are answered by
// us; libwebsockets sees data frames only, and only good ones.
//
// A connection that another process had goes on at the very byte: resume().
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "common/random.h"
#include "common/unique_fd.h"
#include "gateway/client_identity.h"
#include "gateway/handoff/resumed_session.h"
#include "gateway/recv_hook.h"
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
  /// The session stands, and the 101 is about to leave. Ends in opened() or never_opened().
  virtual void opening(ClientSession& /*session*/) {}
  /// The 101 is on its way. `session` has id, address, facts and transport; protocol is the
  /// receiver's to set.
  virtual void opened(ClientSession& session, const UpgradeRequest& request) = 0;
  virtual void fragment(ClientSession& session, const Fragment& fragment) = 0;
  /// `payload` lives for the call.
  virtual void ping(ClientSession& session, proto::Bytes payload) = 0;
  virtual void pong(ClientSession& session) = 0;
  /// Something was read from the session's socket; worked_off() follows.
  virtual void reading(ClientSession& /*session*/) {}
  /// All that was read from the session's socket so far has been told and answered. Follows each
  /// read, before the next read from whatever socket, or at the end of the loop turn; only what
  /// libwebsockets holds back of the first bytes takes longer.
  virtual void worked_off(ClientSession& /*session*/) {}
  /// Last event of the session, which is destroyed afterwards.
  virtual void closed(ClientSession& session) = 0;
  /// An adopted connection ended before it was opened.
  virtual void never_opened(ClientRef ref, const ClientAddress& address) = 0;
};

struct EndpointOptions {
  std::size_t message_bytes_max = 0;
};

class WsEndpoint final : public ReceiveFilter {
 public:
  WsEndpoint(EndpointOptions options, struct ev_loop* loop, SessionTable& sessions, Sender& sender,
             EndpointEvents& events, const TimeSource& time, Random& random);
  ~WsEndpoint() override;
  WsEndpoint(const WsEndpoint&) = delete;
  WsEndpoint& operator=(const WsEndpoint&) = delete;

  /// Creates the libwebsockets context on the loop.
  [[nodiscard]] Result<void> start();
  /// Takes the socket over; `rest` is what was read behind the head. Ends in opened() or
  /// never_opened().
  void adopt(UniqueFd fd, const UpgradeRequest& request, ClientIdentity client,
             std::string_view rest);

  /// Goes on with a connection that another process had: `fd` is its socket, non-blocking, perhaps
  /// shared with others. The session stands in the given slot; there is no opened(), and nothing is
  /// written. Null: that was not possible, nothing was done to the socket, and `fd` has it still.
  /// Not for a session that is closed (SessionPhase::kClosed).
  [[nodiscard]] ClientSession* resume(UniqueFd&& fd, ClientRef ref, ResumedSession&& from);

  /// End of a wake-up: closes the clients whose stream has ended, once libwebsockets has passed on
  /// what came before and what they published has come back.
  void settle();
  /// Behind settle(): worked_off() has been told of everything that was read. False: libwebsockets
  /// holds bytes of a client back which came with its request head; it takes a turn or two more,
  /// and who stops here loses them.
  [[nodiscard]] bool all_worked_off() const { return reading_ == nullptr && held_.empty(); }
  /// Nothing more is read from clients, or again. Meanwhile the loop does not sleep when a client
  /// has sent something: not for long.
  void pause_reading(bool pause) { paused_ = pause; }
  /// The part of it that waits. Call every tick.
  void settle_echoes();

  // ReceiveFilter.
  [[nodiscard]] bool receiving(int fd) override;
  [[nodiscard]] std::size_t received(int fd, std::span<std::uint8_t> bytes) override;

  /// From the libwebsockets callback: reason is an enum lws_callback_reasons.
  int callback(struct lws* wsi, int reason, void* user, void* in, std::size_t length);

 private:
  struct Echo {
    ClientRef ref;
    TimePoint quiet_until;  ///< until then a message of its own may still come back
    TimePoint deadline;
  };
  struct Pending {
    ClientSession* session = nullptr;
    const UpgradeRequest* request = nullptr;  ///< null: it is resumed
    bool opened = false;
  };

  void worked_off_last();
  [[nodiscard]] ClientSession* session_of(int fd) const;
  [[nodiscard]] ClientSession& add_session(int fd, ClientIdentity client);
  void map_descriptor(ClientSession& session);
  [[nodiscard]] bool adopt_resumed(const UniqueFd& socket, ClientSession& session);
  void remove_session(ClientSession& session);
  void tell_held();
  void await_end(ClientSession& session);
  /// What libwebsockets may have of `bytes`.
  [[nodiscard]] std::size_t scan(ClientSession& session, std::span<std::uint8_t> bytes);
  void end_of_stream(ClientSession& session);
  int on_established(struct lws* wsi, ClientSession** slot);
  void on_fragment(ClientSession& session, struct lws* wsi, const void* bytes, std::size_t length);
  int on_writeable(ClientSession& session);
  void on_closed(ClientSession** slot);

  const EndpointOptions options_;
  struct ev_loop* loop_;
  SessionTable& sessions_;
  Sender& sender_;
  EndpointEvents& events_;
  const TimeSource& time_;
  Random& random_;
  Pending* adopting_ = nullptr;
  bool paused_ = false;
  std::vector<ClientSession*> by_fd_;
  ClientSession* reading_ = nullptr;  ///< whose bytes are being worked off
  std::vector<ClientRef> held_;       ///< of theirs libwebsockets has held something back
  std::vector<ClientRef> settling_;   ///< their streams have ended
  std::vector<Echo> echoes_;          ///< theirs too, and only their own messages are waited for
  lws_context* context_ = nullptr;
  lws_vhost* vhost_ = nullptr;
};

}  // namespace sluice::gateway
