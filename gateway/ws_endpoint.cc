#include "gateway/ws_endpoint.h"

#include <libwebsockets.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "gateway/handoff/decoy_socket.h"
#include "gateway/handoff/resume_bytes.h"
#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

/// What libwebsockets keeps per connection for received bytes: decides idle memory. Larger messages
/// come in pieces.
constexpr std::size_t kReceiveBufferBytes = 128;
/// Otherwise a tail given to libwebsockets trickles out kReceiveBufferBytes at a time.
constexpr std::size_t kTransmitPacketBytes = 65536;
constexpr unsigned int kLwsTimeoutSeconds = 5;

int trampoline(struct lws* wsi, enum lws_callback_reasons reason, void* user, void* in,
               size_t length) noexcept {
  auto* endpoint = static_cast<WsEndpoint*>(lws_context_user(lws_get_context(wsi)));
  return endpoint->callback(wsi, reason, user, in, length);
}

void emit_log(int level, const char* line) {
  const std::size_t n = std::strcspn(line, "\n");
  const std::string_view text(line, n);
  // 4.1.6 says this at error level for each adoption that goes well.
  if (text.find("calling service") != std::string_view::npos) return;
  if (level == LLL_ERR) {
    log_error("libwebsockets: {}", text);
  } else {
    log_warn("libwebsockets: {}", text);
  }
}

/// Per connection libwebsockets keeps a pointer to its session.
using SessionSlot = ClientSession*;
constexpr std::size_t kSlotBytes = sizeof(SessionSlot);  // NOLINT(bugprone-sizeof-expression)

/// All one to us: the names are what libwebsockets may answer with. Without a subprotocol it takes
/// the first, and names none.
constexpr lws_protocols protocol_called(const char* name) {
  return {name, trampoline, kSlotBytes, kReceiveBufferBytes, 0, nullptr, kTransmitPacketBytes};
}
const lws_protocols kProtocols[] = {protocol_called("sluice"),
                                    protocol_called(kCentrifugeJsonName),
                                    protocol_called(kCentrifugeProtobufName),
                                    {nullptr, nullptr, 0, 0, 0, nullptr, 0}};

/// All zero: no validity pings of libwebsockets' own, which cost a sorted insert per connection and
/// get in the way of PONGs.
const lws_retry_bo_t kNoRetry{};

/// libwebsockets gets a request of our own making: the client's was judged by the acceptor, and
/// what it must not see (extensions, odd headers, subprotocols but the one to be answered) does not
/// reach it.
std::string upgrade_head(std::string_view key, std::string_view subprotocol,
                         std::string_view rest) {
  std::string head =
      "GET / HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: ";
  head.append(key);
  if (!subprotocol.empty()) head.append("\r\nSec-WebSocket-Protocol: ").append(subprotocol);
  head.append("\r\n\r\n");
  head.append(rest);
  return head;
}

/// Of a client that is resumed nobody knows the key any more, and nobody hears the answer.
constexpr std::string_view kAnyKey = "AAAAAAAAAAAAAAAAAAAAAA==";

/// Tells the session's scanner's events.
class StreamEvents final : public ScanEvents {
 public:
  StreamEvents(EndpointEvents& events, ClientSession& session)
      : events_(events), session_(session) {}
  void ping(std::span<const std::uint8_t> payload) override { events_.ping(session_, payload); }
  void pong() override { events_.pong(session_); }
  void close(std::uint16_t code) override { session_.peer_close_code = code; }

 private:
  EndpointEvents& events_;
  ClientSession& session_;
};

}  // namespace

WsEndpoint::WsEndpoint(EndpointOptions options, struct ev_loop* loop, SessionTable& sessions,
                       Sender& sender, EndpointEvents& events, const TimeSource& time,
                       Random& random)
    : options_(options),
      loop_(loop),
      sessions_(sessions),
      sender_(sender),
      events_(events),
      time_(time),
      random_(random) {
}

WsEndpoint::~WsEndpoint() {
  set_receive_filter(nullptr);
  if (context_ != nullptr) lws_context_destroy(context_);
}

Result<void> WsEndpoint::start() {
  if (!receive_hook_bound())
    return fail(
        ErrorCode::kSystem,
        "this program was linked without its own recv: clients' frames could not be checked");
  lws_set_log_level(LLL_ERR | LLL_WARN, emit_log);
  void* loops[] = {loop_};
  lws_context_creation_info info{};
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.protocols = kProtocols;
  info.options = LWS_SERVER_OPTION_LIBEV;
  info.foreign_loops = loops;
  info.user = this;
  info.gid = static_cast<decltype(info.gid)>(-1);
  info.uid = static_cast<decltype(info.uid)>(-1);
  info.retry_and_idle_policy = &kNoRetry;
  info.timeout_secs = kLwsTimeoutSeconds;
  info.vhost_name = "clients";
  context_ = lws_create_context(&info);
  if (context_ == nullptr) {
    return fail(
        ErrorCode::kSystem,
        "libwebsockets can't start on libev: is its plugin libwebsockets-evlib-ev installed?");
  }
  vhost_ = lws_get_vhost_by_name(context_, "clients");
  if (vhost_ == nullptr) return fail(ErrorCode::kSystem, "libwebsockets made no vhost");
  set_receive_filter(this);
  return {};
}

void WsEndpoint::adopt(UniqueFd fd, const UpgradeRequest& request, ClientIdentity client,
                       std::string_view rest) {
  const ClientAddress address = client.address;
  ClientSession& session = add_session(fd.get(), std::move(client));
  const ClientRef ref = session.ref;
  events_.opening(session);
  Pending pending{&session, &request, false};
  std::string first(rest);
  session.read = first.size();
  first.resize(scan(session, {reinterpret_cast<std::uint8_t*>(first.data()), first.size()}));
  const std::string head = upgrade_head(request.sec_websocket_key, request.subprotocol, first);
  adopting_ = &pending;
  // The whole handshake happens inside this call, because the head is whole. libwebsockets closes
  // the socket when it fails.
  struct lws* wsi = lws_adopt_socket_vhost_readbuf(vhost_, fd.release(), head.data(), head.size());
  adopting_ = nullptr;
  if (pending.opened) {
    if (!rest.empty()) held_.push_back(ref);
    return;
  }
  if (wsi != nullptr) ::shutdown(lws_get_socket_fd(wsi), SHUT_RDWR);
  events_.never_opened(ref, address);
  if (ClientSession* left = sessions_.find(ref)) remove_session(*left);
}

ClientSession& WsEndpoint::add_session(int fd, ClientIdentity client) {
  ClientSession& session = sessions_.add();
  session.fd = fd;
  session.state.id = {random_.next(), random_.next()};
  session.state.address = client.address;
  session.state.facts = std::move(client.facts);
  session.state.connected_at = session.state.spoke_at = time_.now();
  map_descriptor(session);
  return session;
}

void WsEndpoint::map_descriptor(ClientSession& session) {
  const auto at = static_cast<std::size_t>(session.fd);
  if (at >= by_fd_.size()) by_fd_.resize(at + 1, nullptr);
  by_fd_[at] = &session;
}

void WsEndpoint::remove_session(ClientSession& session) {
  by_fd_[static_cast<std::size_t>(session.fd)] = nullptr;
  if (reading_ == &session) reading_ = nullptr;
  sender_.forget(session);
  sessions_.remove(session.ref);
}

ClientSession* WsEndpoint::resume(UniqueFd&& fd, ClientRef ref, ResumedSession&& from) {
  if (from.ending.phase == SessionPhase::kClosed) return nullptr;
  ClientSession* session = sessions_.add_at(ref);
  if (session == nullptr) return nullptr;
  session->state = std::move(from.state);
  session->read = from.read;
  apply(from.ending, *session);
  const WsScanner& scanner = session->state.scanner;
  session->skip_fragment = ResumeBytes::made_up(scanner);
  // What is made up counts as well when it comes out of libwebsockets.
  session->data_received = scanner.data_passed() - (session->skip_fragment ? 1 : 0);
  if (!adopt_resumed(fd, *session)) {
    sessions_.remove(ref);
    return nullptr;
  }
  fd.reset();  // libwebsockets has its own number for it
  map_descriptor(*session);
  sender_.opened(*session);
  if (scanner.ended() && !session->peer_closed) await_end(*session);
  return session;
}

bool WsEndpoint::adopt_resumed(const UniqueFd& socket, ClientSession& session) {
  auto decoy = DecoySocket::open();
  if (!decoy) return false;
  UniqueFd given = decoy->give();
  session.fd = given.get();
  Pending pending{&session, nullptr, false};
  const std::string head = upgrade_head(kAnyKey, {}, ResumeBytes::of(session.state.scanner));
  adopting_ = &pending;
  struct lws* wsi =
      lws_adopt_socket_vhost_readbuf(vhost_, given.release(), head.data(), head.size());
  adopting_ = nullptr;
  if (wsi == nullptr) return false;
  if (pending.opened && decoy->shaken() && DecoySocket::replace(session.fd, socket)) return true;
  // It ends with the decoy, in a later turn, and is nobody's session.
  if (pending.opened) *static_cast<SessionSlot*>(lws_wsi_user(wsi)) = nullptr;
  ::shutdown(lws_get_socket_fd(wsi), SHUT_RDWR);
  return false;
}

// ---- the byte stream

bool WsEndpoint::receiving(int fd) {
  worked_off_last();
  return !paused_ || session_of(fd) == nullptr;
}

ClientSession* WsEndpoint::session_of(int fd) const {
  const auto at = static_cast<std::size_t>(fd);
  return at < by_fd_.size() ? by_fd_[at] : nullptr;
}

void WsEndpoint::worked_off_last() {
  ClientSession* session = std::exchange(reading_, nullptr);
  if (session == nullptr || session->phase == SessionPhase::kClosed) return;
  if (session->data_received < session->state.scanner.data_passed()) {
    held_.push_back(session->ref);
  } else {
    events_.worked_off(*session);
  }
}

void WsEndpoint::tell_held() {
  if (held_.empty()) return;
  std::erase_if(held_, [this](ClientRef ref) {
    ClientSession* session = sessions_.find(ref);
    if (session == nullptr || session->phase == SessionPhase::kClosed) return true;
    if (session->data_received < session->state.scanner.data_passed()) return false;
    events_.worked_off(*session);
    return true;
  });
}

std::size_t WsEndpoint::received(int fd, std::span<std::uint8_t> bytes) {
  ClientSession* session = session_of(fd);
  if (session == nullptr) return bytes.size();
  session->read += bytes.size();
  reading_ = session;
  events_.reading(*session);
  return scan(*session, bytes);
}

std::size_t WsEndpoint::scan(ClientSession& session, std::span<std::uint8_t> bytes) {
  if (session.phase == SessionPhase::kClosed) return 0;
  StreamEvents events(events_, session);
  const std::size_t kept = session.state.scanner.feed(bytes, options_.message_bytes_max, events);
  if (session.state.scanner.ended() && !session.settling) await_end(session);
  return kept;
}

void WsEndpoint::await_end(ClientSession& session) {
  session.settling = true;
  settling_.push_back(session.ref);
}

void WsEndpoint::settle() {
  worked_off_last();
  tell_held();
  if (settling_.empty()) return;
  std::erase_if(settling_, [this](ClientRef ref) {
    ClientSession* session = sessions_.find(ref);
    if (session == nullptr || session->phase == SessionPhase::kClosed) return true;
    // libwebsockets may keep bytes for its next turn.
    if (session->data_received < session->state.scanner.data_passed()) return false;
    if (session->has_published) {
      const TimePoint now = time_.now();
      echoes_.push_back({ref, now + kEchoWait, now + kSettleWait});
    } else {
      end_of_stream(*session);
    }
    return true;
  });
}

void WsEndpoint::settle_echoes() {
  const TimePoint now = time_.now();
  std::erase_if(echoes_, [this, now](Echo& echo) {
    ClientSession* session = sessions_.find(echo.ref);
    if (session == nullptr || session->phase == SessionPhase::kClosed) return true;
    // Redis' answer and the message come on different connections, in either order.
    if (session->publishes_pending > 0) echo.quiet_until = now + kEchoWait;
    if (now < echo.quiet_until && now < echo.deadline) return false;
    end_of_stream(*session);
    return true;
  });
}

void WsEndpoint::end_of_stream(ClientSession& session) {
  const ScanFault fault = session.state.scanner.fault();
  if (fault != ScanFault::kNone) sender_.close(session, close_code_of(fault), describe(fault));
  sender_.peer_ended(session);
}

// ---- libwebsockets' callback

int WsEndpoint::callback(struct lws* wsi, int reason, void* user, void* in, std::size_t length) {
  auto** slot = static_cast<ClientSession**>(user);
  switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
      return on_established(wsi, slot);
    case LWS_CALLBACK_RECEIVE:
      if (*slot != nullptr) on_fragment(**slot, wsi, in, length);
      return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
      return *slot != nullptr ? on_writeable(**slot) : -1;
    case LWS_CALLBACK_CLOSED:
      on_closed(slot);
      return 0;
    case LWS_CALLBACK_HTTP:
      return -1;
    default:
      return 0;
  }
}

int WsEndpoint::on_established(struct lws* wsi, ClientSession** slot) {
  *slot = nullptr;
  if (adopting_ == nullptr) return -1;
  ClientSession& session = *adopting_->session;
  *slot = &session;
  session.wsi = wsi;
  CHECK(session.fd == lws_get_socket_fd(wsi));
  adopting_->opened = true;
  if (adopting_->request == nullptr) return 0;
  sender_.opened(session);
  events_.opened(session, *adopting_->request);
  return 0;
}

void WsEndpoint::on_fragment(ClientSession& session, struct lws* wsi, const void* bytes,
                             std::size_t length) {
  session.data_received += length + (lws_remaining_packet_payload(wsi) == 0 ? 1 : 0);
  if (std::exchange(session.skip_fragment, false)) return;
  if (!session.takes_messages()) return;
  events_.fragment(session, Fragment{.bytes = {static_cast<const std::uint8_t*>(bytes), length},
                                     .first = lws_is_first_fragment(wsi) != 0,
                                     .final = lws_is_final_fragment(wsi) != 0,
                                     .text = lws_frame_is_binary(wsi) == 0});
}

int WsEndpoint::on_writeable(ClientSession& session) {
  if (session.phase == SessionPhase::kClosed) return -1;
  sender_.writeable(session);
  return 0;
}

void WsEndpoint::on_closed(ClientSession** slot) {
  if (slot == nullptr || *slot == nullptr) return;
  ClientSession& session = **slot;
  *slot = nullptr;
  events_.closed(session);
  remove_session(session);
}

}  // namespace sluice::gateway
