// The client side's door: from a listening socket to a judged upgrade request. Reads the PROXY
// header and the whole request head itself, so that half-open handshakes cost a small record each
// and no libwebsockets state.
//
//   accept ─▶ process bound ─▶ [PROXY header] ─▶ address bound ─▶ head whole ─▶ judged ─▶ sink
//
// Where the head tells who the client is (--forwarded-header, from a trusted proxy), the address
// bound comes behind it: a proxy's own address never counts for its clients. Until then only the
// process bound and the time-out hold for it.
//
// Whatever fails on the way ends in a reply and a lingering close, or, where no HTTP is spoken yet,
// in a close. One time-out, --handshake-timeout from accept on, covers all of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/ip.h"
#include "gateway/client_identity.h"
#include "gateway/connection_limits.h"
#include "gateway/event_loop.h"
#include "gateway/forwarded.h"
#include "gateway/handshake_state.h"
#include "gateway/lingering_close.h"
#include "gateway/listener.h"
#include "gateway/page_source.h"
#include "gateway/proxy_protocol.h"
#include "gateway/upgrade_request.h"

namespace sluice::gateway {

/// Taken along behind a head in the same read; more stays in the socket for whoever takes it over.
inline constexpr std::size_t kRestBytesMax = 4096;

struct AcceptorOptions {
  ProxyMode proxy_mode = ProxyMode::kOff;
  ForwardedHeader forwarded_header = ForwardedHeader::kOff;
  std::vector<Cidr> trusted_proxies;  ///< peers of a Unix socket are trusted without standing here
  Duration handshake_timeout = std::chrono::seconds(10);
  std::size_t head_bytes_max = kHeadBytesMax;
  ConnectionLimitOptions limits;
  TokenRate accept_rate{};  ///< upgrades, of all clients together
  UpgradeOptions upgrade;
  const PageSource* pages = nullptr;  ///< asked first; outlives the acceptor; null: no pages
  LingeringOptions lingering;  ///< its connections come on top of limits.connections_max when
                               ///< descriptors are counted
};

/// What --forwarded-header was to a whole request head.
enum class ForwardedOutcome : std::uint8_t {
  kTaken,    ///< it named the client
  kUnknown,  ///< a proxy would not say who: the address of who sent the head stands
  kAbsent,   ///< a trusted proxy sent none
  kIgnored,  ///< it came from somebody else, and changed nothing
};
inline constexpr std::array<const char*, 4> kForwardedOutcomeNames = {"taken", "unknown", "absent",
                                                                      "ignored"};

/// Counters, never reset. Every accepted connection ends in exactly one of upgraded, served,
/// abandoned and refused[…], or is pending.
struct AcceptStats {
  ListenerStats listener;
  std::uint64_t upgraded = 0;     ///< handed to the UpgradeSink
  std::uint64_t served = 0;       ///< got a page
  std::uint64_t abandoned = 0;    ///< the peer left before its head was whole (port checks do)
  std::uint64_t proxy_local = 0;  ///< connections that a proxy opened for itself
  std::array<std::uint64_t, kForwardedOutcomeNames.size()> forwarded{};
  std::array<std::uint64_t, kRefusalReasons> refused{};

  [[nodiscard]] std::uint64_t refused_for(RefusalReason reason) const {
    return refused[static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] std::uint64_t forwarded_with(ForwardedOutcome outcome) const {
    return forwarded[static_cast<std::size_t>(outcome)];
  }
};

/// Takes connections over. Each counts against the limits until Acceptor::client_left(), which may
/// be called from inside accept().
class UpgradeSink {
 public:
  virtual ~UpgradeSink() = default;
  /// `rest` is what was read behind the head; it lives for the call.
  virtual void accept(UniqueFd fd, const UpgradeRequest& request, ClientIdentity client,
                      std::string_view rest) = 0;
};

class Acceptor {
 public:
  Acceptor(EventLoop& loop, AcceptorOptions options, const TimeSource& time, UpgradeSink& sink);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// A listening, non-blocking socket.
  void listen(UniqueFd fd);
  /// As if a listener had accepted it.
  void take(UniqueFd fd, const ClientAddress& peer);
  /// Takes what the kernel has accepted for us, then closes the listening sockets; handshakes under
  /// way go on.
  void stop_listening();
  /// Gives the handshakes under way up to `sink`; they are none of ours any more. Only before the
  /// process ends.
  void park(const std::function<void(UniqueFd, HandshakeState)>& sink);
  /// Goes on with one that another process gave up.
  void resume(UniqueFd fd, HandshakeState state);
  /// A client that another process let in: counts against the limits, whatever they are.
  void client_resumed(const ClientAddress& address);
  /// Upgrades are refused with 503 from now on, or no longer; handshakes under way as well.
  void refuse_upgrades(bool refuse) { refusing_ = refuse; }
  /// A connection given to the sink has ended.
  void client_left(const ClientAddress& address);

  [[nodiscard]] const AcceptStats& stats() const { return stats_; }
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  [[nodiscard]] std::size_t lingering() const { return lingering_.size(); }
  /// Replies that did not get to linger because too many did.
  [[nodiscard]] std::uint64_t hasty_closes() const { return lingering_.hasty(); }
  [[nodiscard]] bool listening() const;
  /// Pending handshakes and clients.
  [[nodiscard]] std::size_t connections() const { return limits_.connections(); }
  [[nodiscard]] const ConnectionLimits& limits() const { return limits_; }

 private:
  struct Pending;
  enum class Step { kMore, kGone };

  void on_readable(Pending& pending);
  /// `bytes` is all that was received and not used yet; on kMore it has been stored.
  [[nodiscard]] Step consume(Pending& pending, std::string_view bytes);
  /// Takes a header off the front of `bytes`.
  [[nodiscard]] Step read_proxy_header(Pending& pending, std::string_view& bytes);
  void apply_proxy_header(Pending& pending, const ProxyHeader& header);
  /// The address is known, unless the head is to tell it: then binding waits.
  [[nodiscard]] Step address_is_known(Pending& pending);
  /// Whether who speaks HTTP here is a trusted proxy, whose word about the client counts.
  [[nodiscard]] bool head_names_client(const Pending& pending) const;
  /// Takes the client's address out of a whole head, and binds it.
  [[nodiscard]] Step read_forwarded(Pending& pending, const HttpHead& head);
  [[nodiscard]] Step read_head(Pending& pending, std::string_view bytes);
  [[nodiscard]] Step head_is_malformed(Pending& pending, std::string_view bytes,
                                       const char* problem);
  /// What has nothing to do with the request itself.
  [[nodiscard]] std::optional<Refusal> refusal_by_state();
  [[nodiscard]] Step judge(Pending& pending, const HttpHead& head, std::string_view rest);
  /// False: refused, and gone.
  [[nodiscard]] bool bind_address(Pending& pending);
  // These end the record and return kGone.
  Step refuse(Pending& pending, const Refusal& refusal, bool omit_body = false);
  Step serve(Pending& pending, PageAnswer answer);
  /// Without a reply: whoever speaks the PROXY protocol wrongly would not understand one.
  Step drop(Pending& pending, RefusalReason reason, const char* why);
  void abandon(Pending& pending);
  void count(ForwardedOutcome outcome) { ++stats_.forwarded[static_cast<std::size_t>(outcome)]; }
  void count(RefusalReason reason) { ++stats_.refused[static_cast<std::size_t>(reason)]; }
  /// At most one line a second: a wrong setting makes every connection fail.
  void log_proxy_fault(const ClientAddress& peer, const std::string& why);
  /// Ends the record; the connection is the caller's. Its place within the limits is given up
  /// unless it goes on as a client.
  [[nodiscard]] UniqueFd release(Pending& pending, bool goes_on);
  [[nodiscard]] bool trusted(const ClientAddress& peer) const;
  void expire();

  EventLoop& loop_;
  const AcceptorOptions options_;
  const TimeSource& time_;
  UpgradeSink& sink_;
  AcceptStats stats_;
  ConnectionLimits limits_;
  TokenBucket accepts_;
  bool refusing_ = false;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::list<Pending> pending_;  ///< in order of their deadlines
  LingeringCloser lingering_;
  Timer expiry_;
  std::optional<TimePoint> proxy_fault_logged_at_;
  std::string scratch_;  ///< every read goes here first: most heads come whole and are never stored
};

}  // namespace sluice::gateway
