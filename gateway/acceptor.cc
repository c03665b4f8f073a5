#include "gateway/acceptor.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "common/try_again.h"

namespace sluice::gateway {
namespace {

constexpr Duration kFaultLogInterval = std::chrono::seconds(1);
/// Handshakes that came together end together: answering all of them at once would hold the clients
/// up.
constexpr std::size_t kExpiriesPerTurn = 128;

}  // namespace

/// A handshake under way.
struct Acceptor::Pending {
  Pending(EventLoop& loop, Acceptor& acceptor, UniqueFd socket, const ClientAddress& peer)
      : fd(std::move(socket)),
        address(peer),
        owner(acceptor),
        io(loop, fd.get(), [this](IoEvents) { owner.on_readable(*this); }) {}

  UniqueFd fd;
  ClientAddress address;  ///< the peer's until a PROXY header or the head tells the client's
  std::unique_ptr<const ClientFacts> facts;
  bool speaker_unknown = false;  ///< a PROXY header came, and did not say who speaks behind it
  bool may_proxy = false;        ///< a PROXY header from this peer is believed
  bool proxy_done = false;       ///< what follows is HTTP
  bool bound = false;            ///< counted for its address
  HeadScanner scanner;           ///< over `bytes`
  std::string bytes;             ///< received and not yet used: empty for heads that come whole
  TimePoint deadline{};
  std::list<Pending>::iterator place{};
  Acceptor& owner;
  IoWatcher io;
};

Acceptor::Acceptor(EventLoop& loop, AcceptorOptions options, const TimeSource& time,
                   UpgradeSink& sink)
    : loop_(loop),
      options_(std::move(options)),
      time_(time),
      sink_(sink),
      limits_(options_.limits),
      lingering_(loop, options_.lingering, time),
      expiry_(loop, [this] { expire(); }) {
  const std::size_t proxy_bytes_max = options_.proxy_mode == ProxyMode::kOff ? 0 : kProxyV2BytesMax;
  scratch_.resize(std::max(options_.head_bytes_max, proxy_bytes_max) + kRestBytesMax);
}

Acceptor::~Acceptor() = default;

void Acceptor::listen(UniqueFd fd) {
  listeners_.push_back(std::make_unique<Listener>(
      loop_, std::move(fd), time_, stats_.listener,
      [this](UniqueFd socket, const ClientAddress& peer) { take(std::move(socket), peer); }));
}

void Acceptor::stop_listening() {
  for (const auto& listener : listeners_) {
    listener->accept_waiting();
    listener->close();
  }
}

bool Acceptor::listening() const {
  return std::any_of(listeners_.begin(), listeners_.end(), [](const auto& l) { return l->open(); });
}

void Acceptor::client_left(const ClientAddress& address) {
  if (!address.is_unix) limits_.unbind(address.ip, time_.now());
  limits_.leave();
}

void Acceptor::take(UniqueFd fd, const ClientAddress& peer) {
  if (limits_.enter() != Admission::kOk) {
    count(RefusalReason::kProcessFull);
    lingering_.close(std::move(fd), build_refusal({RefusalReason::kProcessFull, 503,
                                                   "this gateway is full: try again"}));
    return;
  }
  pending_.emplace_back(loop_, *this, std::move(fd), peer);
  Pending& pending = pending_.back();
  pending.place = std::prev(pending_.end());
  pending.deadline = time_.now() + options_.handshake_timeout;
  if (!expiry_.active()) expiry_.start_once(options_.handshake_timeout);

  pending.may_proxy = options_.proxy_mode != ProxyMode::kOff && trusted(peer);
  if (options_.proxy_mode == ProxyMode::kRequired && !pending.may_proxy) {
    drop(pending, RefusalReason::kProxyUntrusted, "peer is not in --trusted-proxy");
    return;
  }
  pending.proxy_done = !pending.may_proxy;
  if (pending.proxy_done && address_is_known(pending) == Step::kGone) return;
  // Most requests are here already: no turn of the loop, no watcher.
  on_readable(pending);
}

void Acceptor::park(const std::function<void(UniqueFd, HandshakeState)>& sink) {
  while (!pending_.empty()) {
    Pending& pending = pending_.front();
    HandshakeState state{.address = pending.address,
                         .facts = std::move(pending.facts),
                         .speaker_unknown = pending.speaker_unknown,
                         .may_proxy = pending.may_proxy,
                         .proxy_done = pending.proxy_done,
                         .bound = pending.bound,
                         .bytes = std::move(pending.bytes)};
    sink(release(pending, false), std::move(state));
  }
}

void Acceptor::resume(UniqueFd fd, HandshakeState state) {
  // Of a process with larger bounds; the peer sees the connection end and tries again.
  if (state.bytes.size() > scratch_.size() - kRestBytesMax) return;
  limits_.enter_again();
  pending_.emplace_back(loop_, *this, std::move(fd), state.address);
  Pending& pending = pending_.back();
  pending.place = std::prev(pending_.end());
  // Nobody is timed out for the time in between, and the list stays in the order of its deadlines.
  pending.deadline = time_.now() + options_.handshake_timeout;
  if (!expiry_.active()) expiry_.start_once(options_.handshake_timeout);
  pending.facts = std::move(state.facts);
  pending.speaker_unknown = state.speaker_unknown;
  pending.may_proxy = state.may_proxy;
  pending.proxy_done = state.proxy_done;
  if (state.bound) {
    limits_.bind_again(state.address.ip);
    pending.bound = true;
  }
  pending.bytes = std::move(state.bytes);
  pending.io.watch(kIoRead);
}

void Acceptor::client_resumed(const ClientAddress& address) {
  limits_.enter_again();
  if (!address.is_unix) limits_.bind_again(address.ip);
}

void Acceptor::on_readable(Pending& pending) {
  // While something is missing less than the larger bound is stored, so there is room for
  // kRestBytesMax at least.
  const std::size_t room = scratch_.size() - pending.bytes.size();
  const ssize_t n = ::recv(pending.fd.get(), scratch_.data(), room, MSG_DONTWAIT);
  if (n < 0 && try_again(errno)) {
    pending.io.watch(kIoRead);
    return;
  }
  if (n <= 0) return abandon(pending);
  std::string_view bytes(scratch_.data(), static_cast<std::size_t>(n));
  if (!pending.bytes.empty()) {
    pending.bytes.append(bytes);
    bytes = pending.bytes;
  }
  if (consume(pending, bytes) == Step::kMore) pending.io.watch(kIoRead);
}

Acceptor::Step Acceptor::consume(Pending& pending, std::string_view bytes) {
  if (!pending.proxy_done && read_proxy_header(pending, bytes) == Step::kGone) return Step::kGone;
  if (pending.proxy_done && read_head(pending, bytes) == Step::kGone) return Step::kGone;
  // Nothing was taken off the front of what is stored: it can stay, however slowly the rest
  // dribbles in.
  const bool stored = bytes.data() == pending.bytes.data() && bytes.size() == pending.bytes.size();
  if (!stored) pending.bytes = std::string(bytes);
  return Step::kMore;
}

Acceptor::Step Acceptor::read_proxy_header(Pending& pending, std::string_view& bytes) {
  const ProxyParse parse = parse_proxy_header(bytes);
  switch (parse.verdict) {
    case ProxyVerdict::kMore:
      return Step::kMore;
    case ProxyVerdict::kMalformed:
      return drop(pending, RefusalReason::kProxyMalformed, parse.problem);
    case ProxyVerdict::kWrongChecksum:
      return drop(pending, RefusalReason::kProxyChecksum, parse.problem);
    case ProxyVerdict::kAbsent:
      if (options_.proxy_mode == ProxyMode::kRequired) {
        return drop(pending, RefusalReason::kProxyMissing, "no PROXY header, and one is required");
      }
      break;
    case ProxyVerdict::kHeader:
      apply_proxy_header(pending, parse.header);
      bytes.remove_prefix(parse.bytes);
      break;
  }
  pending.proxy_done = true;
  return address_is_known(pending);
}

void Acceptor::apply_proxy_header(Pending& pending, const ProxyHeader& header) {
  if (header.local) ++stats_.proxy_local;
  if (header.has_addresses) {
    pending.address = ClientAddress{header.source, header.source_port, false};
  }
  pending.speaker_unknown = !header.has_addresses;
  pending.facts = facts_from(header.tlvs);
}

Acceptor::Step Acceptor::address_is_known(Pending& pending) {
  if (head_names_client(pending)) return Step::kMore;
  return bind_address(pending) ? Step::kMore : Step::kGone;
}

/// It is the address of a PROXY header that must be trusted then, not the socket's peer: a balancer
/// that only passes bytes on names the client itself, and the head is the client's own words.
bool Acceptor::head_names_client(const Pending& pending) const {
  return options_.forwarded_header != ForwardedHeader::kOff && !pending.speaker_unknown &&
         trusted(pending.address);
}

Acceptor::Step Acceptor::read_forwarded(Pending& pending, const HttpHead& head) {
  if (options_.forwarded_header == ForwardedHeader::kOff) return Step::kMore;
  const std::string_view name = header_name(options_.forwarded_header);
  if (!head_names_client(pending)) {
    if (head.count(name) != 0) count(ForwardedOutcome::kIgnored);
    return Step::kMore;  // bound long ago
  }
  const ForwardedClient client =
      forwarded_client(head, options_.forwarded_header, options_.trusted_proxies);
  switch (client.verdict) {
    case ForwardedVerdict::kMalformed:
      log_proxy_fault(pending.address, std::string(name) + ": " + client.problem);
      return refuse(pending,
                    {RefusalReason::kForwardedMalformed, 400,
                     std::string("malformed ") + std::string(name) + ": " + client.problem});
    case ForwardedVerdict::kClient:
      pending.address = client.address;
      count(ForwardedOutcome::kTaken);
      break;
    case ForwardedVerdict::kUnknown:
      count(ForwardedOutcome::kUnknown);
      break;
    case ForwardedVerdict::kAbsent:
      count(ForwardedOutcome::kAbsent);
      break;
  }
  return bind_address(pending) ? Step::kMore : Step::kGone;
}

bool Acceptor::bind_address(Pending& pending) {
  if (pending.address.is_unix) return true;
  switch (limits_.bind(pending.address.ip, time_.now())) {
    case Admission::kOk:
      pending.bound = true;
      return true;
    case Admission::kAddressTooFast:
      refuse(pending,
             {RefusalReason::kAddressTooFast, 429, "too many new connections from this address"});
      return false;
    default:
      refuse(pending, {RefusalReason::kAddressFull, 429, "too many connections from this address"});
      return false;
  }
}

Acceptor::Step Acceptor::read_head(Pending& pending, std::string_view bytes) {
  switch (pending.scanner.scan(bytes, options_.head_bytes_max)) {
    case HeadScanner::Verdict::kMore:
      return Step::kMore;
    case HeadScanner::Verdict::kMalformed:
      return head_is_malformed(pending, bytes, "a line end or a control character out of place");
    case HeadScanner::Verdict::kTooLarge:
      return refuse(pending, {RefusalReason::kHeadTooLarge, 431, "the request head is too large"});
    case HeadScanner::Verdict::kWhole:
      break;
  }
  const std::size_t end = pending.scanner.end();
  HttpHead head;
  const char* problem = "";
  switch (parse_head(bytes.substr(0, end), head, problem)) {
    case HeadStatus::kOk:
      if (read_forwarded(pending, head) == Step::kGone) return Step::kGone;
      return judge(pending, head, bytes.substr(end));
    case HeadStatus::kMalformed:
      return head_is_malformed(pending, bytes, problem);
    case HeadStatus::kTooManyHeaders:
      return refuse(pending, {RefusalReason::kHeadTooLarge, 431, problem});
    case HeadStatus::kUnsupportedVersion:
      return refuse(pending, {RefusalReason::kHttpVersion, 505, problem});
  }
  CHECK(false);
}

Acceptor::Step Acceptor::head_is_malformed(Pending& pending, std::string_view bytes,
                                           const char* problem) {
  // Four bytes: a blank line alone is no sign of a PROXY header.
  const bool is_proxy_header = !pending.may_proxy && bytes.size() > 4 &&
                               parse_proxy_header(bytes).verdict != ProxyVerdict::kAbsent;
  if (!is_proxy_header) {
    return refuse(pending, {RefusalReason::kHeadMalformed, 400,
                            std::string("malformed request: ") + problem});
  }
  if (options_.proxy_mode == ProxyMode::kOff) {
    return drop(pending, RefusalReason::kProxyUnexpected,
                "PROXY header, and --proxy-protocol is off");
  }
  return drop(pending, RefusalReason::kProxyUntrusted,
              "PROXY header from a peer that is not in --trusted-proxy");
}

std::optional<Refusal> Acceptor::refusal_by_state() {
  if (refusing_)
    return Refusal{RefusalReason::kDraining, 503, "this gateway is being drained: try another"};
  if (!accepts_.take(options_.accept_rate, time_.now())) {
    return Refusal{RefusalReason::kAcceptRate, 503,
                   "more new connections than this gateway takes per second: try another"};
  }
  return std::nullopt;
}

Acceptor::Step Acceptor::judge(Pending& pending, const HttpHead& head, std::string_view rest) {
  if (options_.pages != nullptr) {
    if (auto answer = options_.pages->answer(head)) return serve(pending, std::move(*answer));
  }
  tl::expected<UpgradeRequest, Refusal> request = judge_upgrade(head, options_.upgrade);
  if (!request) return refuse(pending, request.error(), head.method == "HEAD");
  if (const auto refusal = refusal_by_state()) return refuse(pending, *refusal);
  ++stats_.upgraded;
  ClientIdentity client{pending.address, std::move(pending.facts)};
  const std::string kept(rest);  // its place is reused, or goes with the record
  UniqueFd fd = release(pending, true);
  sink_.accept(std::move(fd), *request, std::move(client), kept);
  return Step::kGone;
}

Acceptor::Step Acceptor::refuse(Pending& pending, const Refusal& refusal, bool omit_body) {
  count(refusal.reason);
  if (log_enabled(LogLevel::kDebug)) {
    log_debug("refused {}: {} ({})", to_string(pending.address), refusal.status, refusal.text);
  }
  lingering_.close(release(pending, false), build_refusal(refusal, omit_body));
  return Step::kGone;
}

Acceptor::Step Acceptor::serve(Pending& pending, PageAnswer answer) {
  if (answer.refused) {
    count(*answer.refused);
  } else {
    ++stats_.served;
  }
  lingering_.close(release(pending, false), std::move(answer.reply));
  return Step::kGone;
}

Acceptor::Step Acceptor::drop(Pending& pending, RefusalReason reason, const char* why) {
  count(reason);
  log_proxy_fault(pending.address, why);
  static_cast<void>(release(pending, false));
  return Step::kGone;
}

void Acceptor::abandon(Pending& pending) {
  ++stats_.abandoned;
  static_cast<void>(release(pending, false));
}

void Acceptor::log_proxy_fault(const ClientAddress& peer, const std::string& why) {
  const TimePoint now = time_.now();
  if (proxy_fault_logged_at_ && now - *proxy_fault_logged_at_ < kFaultLogInterval) return;
  proxy_fault_logged_at_ = now;
  log_warn("closed a connection from {}: {}", to_string(peer), why);
}

UniqueFd Acceptor::release(Pending& pending, bool goes_on) {
  if (!goes_on) {
    if (pending.bound) limits_.unbind(pending.address.ip, time_.now());
    limits_.leave();
  }
  pending.io.watch(kIoNone);
  UniqueFd fd = std::move(pending.fd);
  pending_.erase(pending.place);
  return fd;
}

bool Acceptor::trusted(const ClientAddress& peer) const {
  return peer.is_unix || contains_any(options_.trusted_proxies, peer.ip);
}

void Acceptor::expire() {
  const TimePoint now = time_.now();
  for (std::size_t i = 0; i < kExpiriesPerTurn; ++i) {
    if (pending_.empty() || pending_.front().deadline > now) break;
    Pending& pending = pending_.front();
    if (pending.proxy_done) {
      refuse(pending, {RefusalReason::kHeadTimeout, 408, "the request head took too long"});
    } else {
      drop(pending, RefusalReason::kHeadTimeout,
           "no whole PROXY header within --handshake-timeout");
    }
  }
  if (!pending_.empty())
    expiry_.start_once(std::max(pending_.front().deadline - now, Duration::zero()));
}

}  // namespace sluice::gateway
