#include "keeper/wire.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "keeper/fields.h"

namespace sluice::keeper {
namespace {

constexpr std::size_t kHeaderBytes = 8;
/// Room for more than we allow, so that too many are seen as such.
constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(int) * (kPacketFdsMax + 3));

// ---- bodies: put() writes one, get() reads it, false when it breaks a rule of its type

void put(FieldWriter& to, const ClientRef& client) {
  to.number(client.slot);
  to.number(client.generation);
}

ClientRef get_client(FieldReader& from) {
  ClientRef client;
  client.slot = from.number<std::uint32_t>();
  client.generation = from.number<std::uint32_t>();
  return client;
}

void put(FieldWriter& to, const Hello& m) {
  to.number(m.version);
  to.text(m.gateway_id);
  to.number(m.handoff_wait_ms);
  to.number(m.close_rate);
  to.number(static_cast<std::uint8_t>(m.serving ? 1 : 0));
}

bool get(FieldReader& from, Hello& m) {
  m.version = from.number<std::uint32_t>();
  if (m.version != kWireVersion) {
    from.skip_rest();
    return true;
  }
  m.gateway_id = from.text(kTextBytesMax);
  m.handoff_wait_ms = from.number<std::uint32_t>();
  m.close_rate = from.number<std::uint32_t>();
  const auto serving = from.number<std::uint8_t>();
  m.serving = serving != 0;
  return serving <= 1 && !m.gateway_id.empty() && m.handoff_wait_ms <= kHandoffWaitMsMax &&
         m.close_rate > 0 && m.close_rate <= kCloseRateMax;
}

void put(FieldWriter& to, const State& m) {
  to.number(static_cast<std::uint8_t>(m.moved ? 1 : 0));
}
bool get(FieldReader& from, State& m) {
  const auto moved = from.number<std::uint8_t>();
  m.moved = moved != 0;
  return moved <= 1;
}

template <typename T>
concept Empty = std::is_empty_v<T>;
void put(FieldWriter& /*to*/, const Empty auto& /*m*/) {
}
bool get(FieldReader& /*from*/, Empty auto& /*m*/) {
  return true;
}

template <typename T>
concept Named = requires(T m) {
  m.name;
};
void put(FieldWriter& to, const Named auto& m) {
  to.text(m.name);
}
bool get(FieldReader& from, Named auto& m) {
  m.name = from.text(kTextBytesMax);
  return !m.name.empty();
}

template <typename T>
concept OfClient = requires(T m) {
  m.client;
};
void put(FieldWriter& to, const OfClient auto& m) {
  put(to, m.client);
}
bool get(FieldReader& from, OfClient auto& m) {
  m.client = get_client(from);
  return true;
}

template <typename T>
concept InHandshake = requires(T m) {
  m.listener;
};
void put(FieldWriter& to, const InHandshake auto& m) {
  to.text(m.listener);
  to.text(m.bytes);
}
bool get(FieldReader& from, InHandshake auto& m) {
  m.listener = from.text(kTextBytesMax);
  m.bytes = from.text(kPendingBytesMax);
  return true;
}

void put(FieldWriter& to, const Release& m) {
  to.text(m.reason);
}
bool get(FieldReader& from, Release& m) {
  m.reason = from.text(kTextBytesMax);
  return true;
}

void put(FieldWriter& to, const Refused& m) {
  to.text(m.text);
}
bool get(FieldReader& from, Refused& m) {
  m.text = from.text(kTextBytesMax);
  return true;
}

void put(FieldWriter& to, const InUse& m) {
  to.number(m.pid);
}
bool get(FieldReader& from, InUse& m) {
  m.pid = from.number<std::uint32_t>();
  return true;
}

void put(FieldWriter& to, const Welcome& m) {
  to.number(static_cast<std::uint8_t>(m.has_state ? 1 : 0));
  to.number(static_cast<std::uint8_t>(m.ending));
  to.number(m.clients);
  to.number(m.listeners);
  to.number(m.pending);
  to.number(m.crashes);
  to.number(m.clients_max);
  to.number(m.parked_at_micros);
}

bool get(FieldReader& from, Welcome& m) {
  const auto has_state = from.number<std::uint8_t>();
  const auto ending = from.number<std::uint8_t>();
  m.has_state = has_state != 0;
  m.ending = static_cast<Ending>(ending);
  m.clients = from.number<std::uint32_t>();
  m.listeners = from.number<std::uint32_t>();
  m.pending = from.number<std::uint32_t>();
  m.crashes = from.number<std::uint32_t>();
  m.clients_max = from.number<std::uint32_t>();
  m.parked_at_micros = from.number<std::uint64_t>();
  return has_state <= 1 && ending <= static_cast<std::uint8_t>(Ending::kCrashed);
}

void put(FieldWriter& to, const HeldClients& m) {
  to.number(static_cast<std::uint32_t>(m.clients.size()));
  for (const ClientRef& client : m.clients) put(to, client);
}

bool get(FieldReader& from, HeldClients& m) {
  const auto count = from.number<std::uint32_t>();
  if (count == 0 || count > kPacketFdsMax) return false;
  for (std::uint32_t i = 0; i < count; ++i) m.clients.push_back(get_client(from));
  return true;
}

// ---- descriptors that go along

template <typename T>
std::size_t fds_of(const T& /*m*/) {
  constexpr bool one = std::is_same_v<T, Hello> || std::is_same_v<T, State> ||
                       std::is_same_v<T, Listen> || std::is_same_v<T, Give> ||
                       std::is_same_v<T, Pending> || std::is_same_v<T, HeldListener> ||
                       std::is_same_v<T, HeldPending>;
  return one ? 1 : 0;
}
std::size_t fds_of(const Welcome& m) {
  return m.has_state ? 1 : 0;
}
std::size_t fds_of(const HeldClients& m) {
  return m.clients.size();
}

template <std::size_t... kIndex>
Message empty_message(std::size_t type, std::index_sequence<kIndex...> /*all*/) {
  Message message;
  (void)((type == kIndex && (message.emplace<kIndex>(), true)) || ...);
  return message;
}

tl::unexpected<Error> malformed(const char* what) {
  return fail(ErrorCode::kInvalid, std::string("malformed packet: ") + what);
}

tl::unexpected<Error> connection_error(const char* call) {
  const bool gone = errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN;
  return fail(gone ? ErrorCode::kUnavailable : ErrorCode::kSystem,
              std::string(call) + ": " + std::strerror(errno));
}

std::vector<UniqueFd> descriptors_of(msghdr& header) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

std::vector<std::byte> encode(const Message& message, std::size_t fds) {
  FieldWriter body;
  std::visit([&](const auto& m) { put(body, m); }, message);
  FieldWriter packet;
  packet.number(static_cast<std::uint8_t>(message.index()));
  packet.number(std::uint8_t{0});
  packet.number(static_cast<std::uint16_t>(fds));
  packet.number(static_cast<std::uint32_t>(body.bytes().size()));
  packet.bytes().insert(packet.bytes().end(), body.bytes().begin(), body.bytes().end());
  return std::move(packet.bytes());
}

Result<Message> decode(std::span<const std::byte> packet, std::size_t fds) {
  if (packet.size() < kHeaderBytes) return malformed("no whole header");
  FieldReader header(packet.first(kHeaderBytes));
  const auto type = header.number<std::uint8_t>();
  const auto zero = header.number<std::uint8_t>();
  const auto said_fds = header.number<std::uint16_t>();
  const auto body_bytes = header.number<std::uint32_t>();
  if (type >= std::variant_size_v<Message>) return malformed("unknown type");
  if (zero != 0 || body_bytes != packet.size() - kHeaderBytes) return malformed("size");
  Message message = empty_message(type, std::make_index_sequence<std::variant_size_v<Message>>());
  FieldReader body(packet.subspan(kHeaderBytes));
  const bool allowed = std::visit([&](auto& m) { return get(body, m); }, message);
  if (!allowed || !body.complete()) return malformed("body");
  const std::size_t needed = std::visit([](const auto& m) { return fds_of(m); }, message);
  if (fds != needed || said_fds != needed) return malformed("number of descriptors");
  return message;
}

Result<SendOutcome> send_packet(int socket, const Message& message, std::span<const int> fds) {
  const std::vector<std::byte> packet = encode(message, fds.size());
  if (packet.size() > kPacketBytesMax || fds.size() > kPacketFdsMax)
    return fail(ErrorCode::kTooLarge, "packet to or from the keeper over its bound");
  iovec bytes{const_cast<std::byte*>(packet.data()), packet.size()};
  alignas(cmsghdr) std::array<std::byte, kControlBytes> control{};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do sent = ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return SendOutcome::kSent;
  if (errno == EAGAIN || errno == EWOULDBLOCK) return SendOutcome::kFull;
  if (errno == ETOOMANYREFS || errno == ENOBUFS) return SendOutcome::kCrowded;
  return connection_error("sendmsg");
}

Result<Received> receive_packet(int socket) {
  std::array<std::byte, kPacketBytesMax> packet;
  alignas(cmsghdr) std::array<std::byte, kControlBytes> control;
  iovec bytes{packet.data(), packet.size()};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  // A peer that closes before it has read all makes our next call fail, once; what it had said
  // before stands behind that.
  ssize_t size = 0;
  for (bool reset = false;;) {
    size = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size >= 0 || (errno != EINTR && (errno != ECONNRESET || reset))) break;
    reset = reset || errno == ECONNRESET;
  }
  Received received;
  if (size < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return received;
    return connection_error("recvmsg");
  }
  received.fds = descriptors_of(header);
  // A packet without a byte is the end, or nothing that we would send.
  if (size == 0) {
    received.fds.clear();
    received.what = Received::What::kEnd;
    return received;
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return malformed("cut short");
  Result<Message> message =
      decode(std::span(packet).first(static_cast<std::size_t>(size)), received.fds.size());
  if (!message) return tl::make_unexpected(message.error());
  received.what = Received::What::kMessage;
  received.message = std::move(*message);
  return received;
}

}  // namespace sluice::keeper
