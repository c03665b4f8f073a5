#include "gateway/handoff/session_record.h"

#include <chrono>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "gateway/handoff/bytes.h"
#include "gateway/handoff/identity_codec.h"
#include "gateway/limits.h"
#include "gateway/protocols/client_protocol.h"

namespace sluice::gateway {
namespace {

constexpr std::uint8_t kSessionVersion = 2;
/// Has no protocol state behind the subscriptions.
constexpr std::uint8_t kVersionStateless = 1;

constexpr std::uint8_t kPeerClosed = 1;
constexpr std::uint8_t kCloseSent = 2;
constexpr std::uint8_t kHasPublished = 4;
constexpr std::uint8_t kProtocolPings = 8;
constexpr std::uint8_t kSessionFlags = 15;

/// So much of a record one subscription takes at least: name of one byte, numbers.
constexpr std::size_t kSubscriptionBytesMin = 2 + 1 + 8 + 4;

/// The times of a session, in the order of the record.
template <typename State, typename Use>
void each_time(State& state, Use use) {
  use(state.connected_at);
  use(state.spoke_at);
  use(state.expires_at);
  use(state.due_at);
  use(state.ping_at);
  use(state.pong_deadline);
}

[[nodiscard]] std::uint8_t flags_of(const ClientSession& session) {
  const auto flag = [](bool set, std::uint8_t bit) {
    return static_cast<unsigned>(set ? bit : std::uint8_t{0});
  };
  return static_cast<std::uint8_t>(flag(session.peer_closed, kPeerClosed) |
                                   flag(session.close_sent, kCloseSent) |
                                   flag(session.has_published, kHasPublished) |
                                   flag(session.state.protocol_pings, kProtocolPings));
}

void write_subscriptions(const ClientSession& session, const NameSubscription& name_of,
                         ByteWriter& out) {
  out.number(static_cast<std::uint32_t>(session.state.subscriptions.size()));
  for (const Subscription& subscription : session.state.subscriptions) {
    if (out.size() > kSessionRecordBytesMax) return;
    const SubscriptionName name = name_of(subscription);
    out.text(name.channel);
    out.number(subscription.began_sequence);
    out.number(name.link_generation);
  }
}

/// False: more than a protocol may keep.
[[nodiscard]] bool write_protocol_state(const ClientSession& session, ByteWriter& out) {
  std::string kept;
  session.protocol->save(session, kept);
  out.number(static_cast<std::uint32_t>(kept.size()));
  out.raw(kept.data(), kept.size());
  return kept.size() <= kProtocolStateBytesMax;
}

[[nodiscard]] bool read_protocol_state(ByteReader& in, std::vector<std::uint8_t>& state) {
  const auto count = in.number<std::uint32_t>();
  if (count > kProtocolStateBytesMax) return false;
  const auto bytes = in.take(count);
  state.assign(bytes.begin(), bytes.end());
  return in.ok();
}

[[nodiscard]] bool read_ending(ByteReader& in, std::uint8_t flags, SessionEnding& ending) {
  const auto phase = in.number<std::uint8_t>();
  const auto ended_by = in.number<std::uint8_t>();
  ending.peer_close_code = in.number<std::uint16_t>();
  if (phase > static_cast<std::uint8_t>(SessionPhase::kClosed) ||
      ended_by >= static_cast<std::uint8_t>(CloseReason::kCount))
    return false;
  ending.phase = static_cast<SessionPhase>(phase);
  ending.ended_by = static_cast<CloseReason>(ended_by);
  ending.peer_closed = (flags & kPeerClosed) != 0;
  ending.close_sent = (flags & kCloseSent) != 0;
  ending.has_published = (flags & kHasPublished) != 0;
  // 0 is a close frame without a code.
  return ending.peer_close_code == 0 || valid_close_code(ending.peer_close_code);
}

[[nodiscard]] bool read_times(ByteReader& in, SessionState& state) {
  constexpr std::int64_t kMicrosMax = INT64_MAX / 1000;
  bool good = true;
  each_time(state, [&](TimePoint& time) {
    const auto value = in.number<std::int64_t>();
    good = good && value >= 0 && value <= kMicrosMax;
    if (good) time = TimePoint(std::chrono::microseconds(value));
  });
  return good;
}

[[nodiscard]] bool read_subscriptions(ByteReader& in, std::vector<NamedSubscription>& all) {
  const auto count = in.number<std::uint32_t>();
  if (count > in.left() / kSubscriptionBytesMin) return false;
  all.reserve(count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    NamedSubscription subscription;
    subscription.channel = in.text();
    subscription.began_sequence = in.number<std::uint64_t>();
    subscription.link_generation = in.number<std::uint32_t>();
    if (subscription.channel.empty() || subscription.channel.size() > proto::kChannelNameBytesMax)
      return false;
    all.push_back(std::move(subscription));
  }
  return true;
}

}  // namespace

std::vector<std::uint8_t> encode_session(const ClientSession& session,
                                         const NameSubscription& name_of) {
  CHECK(session.protocol != nullptr);
  const SessionState& state = session.state;
  ByteWriter out;
  out.number(kSessionVersion);
  out.number(flags_of(session));
  out.number(static_cast<std::uint8_t>(session.phase));
  out.number(static_cast<std::uint8_t>(session.ended_by));
  out.number(session.peer_close_code);
  for (const std::uint64_t part : state.id) out.number(part);
  put_identity(out, state.address, state.facts.get());
  each_time(state, [&](TimePoint time) { out.number(micros_of(time)); });
  out.text(session.protocol->name());
  write_subscriptions(session, name_of, out);
  out.number(session.out.written + session.outbox.bytes());
  if (!write_protocol_state(session, out) || out.size() > kSessionRecordBytesMax) return {};
  return out.take();
}

std::optional<SessionRecord> decode_session(std::span<const std::uint8_t> bytes) {
  if (bytes.size() > kSessionRecordBytesMax) return std::nullopt;
  ByteReader in(bytes);
  const auto version = in.number<std::uint8_t>();
  if (version != kSessionVersion && version != kVersionStateless) return std::nullopt;
  const auto flags = in.number<std::uint8_t>();
  SessionRecord record;
  if (flags > kSessionFlags || !read_ending(in, flags, record.ending)) return std::nullopt;
  SessionState& state = record.state;
  for (std::uint64_t& part : state.id) part = in.number<std::uint64_t>();
  if (!get_identity(in, state.address, state.facts) || !read_times(in, state)) return std::nullopt;
  record.protocol = in.text();
  if (!read_subscriptions(in, record.subscriptions)) return std::nullopt;
  if (version != kVersionStateless) {
    record.out_end = in.number<std::uint64_t>();
    if (!read_protocol_state(in, record.protocol_state)) return std::nullopt;
  }
  if (!in.done()) return std::nullopt;
  state.protocol_pings = (flags & kProtocolPings) != 0;
  return record;
}

std::optional<SessionRecord> decode_session(std::uint64_t slot_session,
                                            std::span<const std::byte> arena) {
  const std::uint64_t block = slot_session >> 32U;
  const auto bytes = static_cast<std::uint32_t>(slot_session);
  if (!keeper::Arena::valid(arena, static_cast<keeper::ArenaUnit>(block))) return std::nullopt;
  const auto data = keeper::Arena::data_of(arena, static_cast<keeper::ArenaUnit>(block));
  if (bytes > data.size()) return std::nullopt;
  return decode_session({reinterpret_cast<const std::uint8_t*>(data.data()), bytes});
}

bool SessionRecorder::record(keeper::Slot& slot, const ClientSession& session) {
  const std::uint64_t before = slot.session;
  const std::uint64_t now = store(encode_session(session, name_of_));
  keeper::publish(slot.session, now);
  arena_.free(static_cast<keeper::ArenaUnit>(before >> 32U));
  if (now == 0) ++unrecorded_;
  return now != 0;
}

std::uint64_t SessionRecorder::store(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return 0;
  const keeper::ArenaUnit block = arena_.allocate(bytes.size());
  if (block == 0) return 0;
  std::memcpy(arena_.data(block), bytes.data(), bytes.size());
  return std::uint64_t{block} << 32U | bytes.size();
}

void SessionRecorder::forget(keeper::Slot& slot) {
  const std::uint64_t before = slot.session;
  keeper::publish(slot.session, std::uint64_t{0});
  arena_.free(static_cast<keeper::ArenaUnit>(before >> 32U));
}

}  // namespace sluice::gateway
