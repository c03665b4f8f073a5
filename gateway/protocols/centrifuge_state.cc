#include "gateway/protocols/centrifuge_state.h"

#include <algorithm>
#include <utility>

#include "gateway/handoff/bytes.h"
#include "gateway/protocols/centrifuge_limits.h"

namespace sluice::gateway {
namespace {

constexpr std::uint8_t kRecordVersion = 1;

constexpr std::uint8_t kFramePings = 0x01;
constexpr std::uint8_t kServerRefresh = 0x02;
constexpr std::uint8_t kHasToken = 0x04;
constexpr std::uint8_t kHasDetails = 0x08;
constexpr std::uint8_t kHasWork = 0x10;

constexpr std::uint8_t kJoining = 0x01;
constexpr std::uint8_t kServerSide = 0x02;
constexpr std::uint8_t kPositioned = 0x04;
constexpr std::uint8_t kRecoverable = 0x08;
constexpr std::uint8_t kPresence = 0x10;
constexpr std::uint8_t kAnnounced = 0x20;
constexpr std::uint8_t kMembers = 0x40;

constexpr std::uint8_t kHasSince = 0x01;
constexpr std::uint8_t kOnlyRecovered = 0x02;
constexpr std::uint8_t kReverse = 0x04;
constexpr std::uint8_t kAnyEpoch = 0x08;

[[nodiscard]] constexpr std::uint8_t bit(bool set, std::uint8_t flag) {
  return set ? flag : std::uint8_t{0};
}

void put_long(ByteWriter& out, std::string_view text) {
  out.number(static_cast<std::uint32_t>(text.size()));
  out.raw(text.data(), text.size());
}

[[nodiscard]] std::string get_long(ByteReader& in) {
  const auto bytes = in.take(in.number<std::uint32_t>());
  return {bytes.begin(), bytes.end()};
}

template <typename List, typename Put>
void put_list(ByteWriter& out, const List& list, Put&& put) {
  out.number(static_cast<std::uint32_t>(list.size()));
  for (const auto& one : list) put(one);
}

/// get() adds one; the count is nobody's word to reserve by.
template <typename Get>
void get_list(ByteReader& in, Get&& get) {
  const auto count = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) get();
}

// ---- parts

void put(ByteWriter& out, const CentrifugeSubscription& one) {
  out.text(one.channel->name());
  out.number(static_cast<std::uint8_t>(
      bit(one.joining, kJoining) | bit(one.server_side, kServerSide) |
      bit(one.positioned, kPositioned) | bit(one.recoverable, kRecoverable) |
      bit(one.presence, kPresence) | bit(one.announced, kAnnounced) | bit(one.members, kMembers)));
  out.number(one.expires_at);
  out.text(one.info ? *one.info : std::string_view());
}

void get(ByteReader& in, CentrifugeSubscription& one, ChannelNames& names) {
  one.channel = names.hold(in.text());
  const auto flags = in.number<std::uint8_t>();
  one.joining = (flags & kJoining) != 0;
  one.server_side = (flags & kServerSide) != 0;
  one.positioned = (flags & kPositioned) != 0;
  one.recoverable = (flags & kRecoverable) != 0;
  one.presence = (flags & kPresence) != 0;
  one.announced = (flags & kAnnounced) != 0;
  one.members = (flags & kMembers) != 0;
  one.expires_at = in.number<std::int64_t>();
  std::string info = in.text();
  if (!info.empty()) one.info = std::make_unique<std::string>(std::move(info));
}

void put(ByteWriter& out, const JoinInProgress& one) {
  out.number(one.ticket);
  out.text(one.channel->name());
  out.number(static_cast<std::uint8_t>(one.origin));
  out.number(one.command);
  out.number(one.ttl);
  out.number(static_cast<std::uint8_t>(bit(one.since.has_value(), kHasSince) |
                                       bit(one.only_recovered, kOnlyRecovered)));
  const proto::Position since = one.since.value_or(proto::Position{});
  out.number(since.epoch);
  out.number(since.offset);
  out.number(one.recover_max);
  put_long(out, one.data);
}

[[nodiscard]] bool get(ByteReader& in, JoinInProgress& one, ChannelNames& names) {
  one.ticket = in.number<Ticket>();
  one.channel = names.hold(in.text());
  const auto origin = in.number<std::uint8_t>();
  one.origin = static_cast<JoinOrigin>(origin);
  one.command = in.number<std::uint32_t>();
  one.ttl = in.number<std::uint32_t>();
  const auto flags = in.number<std::uint8_t>();
  proto::Position since;
  since.epoch = in.number<std::uint64_t>();
  since.offset = in.number<std::uint64_t>();
  if ((flags & kHasSince) != 0) one.since = since;
  one.only_recovered = (flags & kOnlyRecovered) != 0;
  one.recover_max = in.number<std::uint32_t>();
  one.data = get_long(in);
  return origin <= static_cast<std::uint8_t>(JoinOrigin::kPush);
}

void put(ByteWriter& out, const RequestInProgress& one) {
  out.number(one.ticket);
  out.number(static_cast<std::uint8_t>(one.kind));
  out.number(one.command);
  out.text(one.channel);
  out.number(static_cast<std::uint8_t>(bit(one.query.since.has_value(), kHasSince) |
                                       bit(one.query.reverse, kReverse) |
                                       bit(one.any_epoch, kAnyEpoch)));
  const proto::Position since = one.query.since.value_or(proto::Position{});
  out.number(since.epoch);
  out.number(since.offset);
  out.number(one.query.limit);
}

[[nodiscard]] bool get(ByteReader& in, RequestInProgress& one) {
  one.ticket = in.number<Ticket>();
  const auto kind = in.number<std::uint8_t>();
  one.kind = static_cast<RequestKind>(kind);
  one.command = in.number<std::uint32_t>();
  one.channel = in.text();
  const auto flags = in.number<std::uint8_t>();
  proto::Position since;
  since.epoch = in.number<std::uint64_t>();
  since.offset = in.number<std::uint64_t>();
  if ((flags & kHasSince) != 0) one.query.since = since;
  one.query.reverse = (flags & kReverse) != 0;
  one.any_epoch = (flags & kAnyEpoch) != 0;
  one.query.limit = in.number<std::uint32_t>();
  return kind <= static_cast<std::uint8_t>(RequestKind::kPresenceStats);
}

void put(ByteWriter& out, const CentrifugeWork& work) {
  put_list(out, work.joins, [&](const auto& one) { put(out, one); });
  put_list(out, work.requests, [&](const auto& one) { put(out, one); });
  out.number(static_cast<std::uint8_t>(work.hook.has_value()));
  if (work.hook) {
    out.number(static_cast<std::uint8_t>(work.hook->kind));
    put_long(out, work.hook->command);
  }
  put_list(out, work.waiting, [&](const std::string& one) { put_long(out, one); });
  put_long(out, work.connect);
}

[[nodiscard]] bool get(ByteReader& in, CentrifugeWork& work, ChannelNames& names) {
  bool good = true;
  get_list(in, [&] { good = get(in, work.joins.emplace_back(), names) && good; });
  get_list(in, [&] { good = get(in, work.requests.emplace_back()) && good; });
  if (in.number<std::uint8_t>() != 0) {
    HookInProgress& hook = work.hook.emplace();
    const auto kind = in.number<std::uint8_t>();
    good = good && kind <= static_cast<std::uint8_t>(HookKind::kDisconnected);
    hook.kind = static_cast<HookKind>(kind);
    hook.command = get_long(in);
  }
  get_list(in, [&] {
    work.waiting.push_back(get_long(in));
    work.waiting_bytes += work.waiting.back().size();
  });
  work.connect = get_long(in);
  return good && in.ok();
}

void put(ByteWriter& out, const CentrifugeDetails& details) {
  put_long(out, details.conn_info);
  put_long(out, details.meta);
  put_list(out, details.headers, [&](const auto& header) {
    out.text(header.first);
    out.text(header.second);
  });
}

void get(ByteReader& in, CentrifugeDetails& details) {
  details.conn_info = get_long(in);
  details.meta = get_long(in);
  get_list(in, [&] {
    std::string name = in.text();
    details.headers.emplace_back(std::move(name), in.text());
  });
}

/// Whoever waits for a channel is among those who join it, and the other way round.
[[nodiscard]] bool joins_agree(const CentrifugeState& state) {
  const CentrifugeWork* work = state.in_progress.get();
  std::size_t joining = 0;
  for (const CentrifugeSubscription& one : state.subscriptions) {
    if (!one.joining) continue;
    ++joining;
    if (work == nullptr) return false;
    const auto waits = std::count_if(work->joins.begin(), work->joins.end(),
                                     [&](const auto& join) { return join.channel == one.channel; });
    if (waits != 1) return false;
  }
  return joining == (work == nullptr ? 0 : work->joins.size());
}

}  // namespace

CentrifugeSubscription* CentrifugeState::find(const ChannelNames& names, std::string_view channel) {
  const auto* name = names.find(channel);
  if (name == nullptr) return nullptr;
  const auto found = std::find_if(subscriptions.begin(), subscriptions.end(),
                                  [&](const auto& one) { return one.channel.get() == name; });
  return found == subscriptions.end() ? nullptr : &*found;
}

CentrifugeWork& CentrifugeState::work() {
  if (!in_progress) in_progress = std::make_unique<CentrifugeWork>();
  return *in_progress;
}

CentrifugeDetails& CentrifugeState::details() {
  if (!more) more = std::make_unique<CentrifugeDetails>();
  return *more;
}

void CentrifugeState::trim() {
  if (in_progress && in_progress->idle()) in_progress.reset();
}

Ticket CentrifugeState::next_ticket() {
  // Each is used within seconds; 2^32 of one client are not.
  if (++last_ticket == 0) last_ticket = 1;
  return last_ticket;
}

const std::string& CentrifugeState::user_name() const {
  static const std::string kAnonymous;
  return user ? user->name() : kAnonymous;
}

const std::string& CentrifugeState::conn_info() const {
  static const std::string kNone;
  return more ? more->conn_info : kNone;
}

void save(const CentrifugeState& state, std::string& record) {
  ByteWriter out;
  out.number(kRecordVersion);
  out.number(static_cast<std::uint8_t>(state.stage));
  const bool details = state.more != nullptr;
  const bool work = state.in_progress != nullptr && !state.in_progress->idle();
  out.number(static_cast<std::uint8_t>(
      bit(state.frame_pings, kFramePings) | bit(state.server_refresh, kServerRefresh) |
      bit(state.has_token, kHasToken) | bit(details, kHasDetails) | bit(work, kHasWork)));
  out.text(state.user_name());
  out.number(state.expires_at);
  out.number(state.last_ticket);
  put_list(out, state.subscriptions, [&](const auto& one) { put(out, one); });
  if (details) put(out, *state.more);
  if (work) put(out, *state.in_progress);
  const std::vector<std::uint8_t> bytes = out.take();
  record.append(proto::as_text(bytes));
}

bool restore(CentrifugeState& state, proto::Bytes record, ChannelNames& channels,
             UserNames& users) {
  ByteReader in(record);
  if (in.number<std::uint8_t>() != kRecordVersion) return false;
  const auto stage = in.number<std::uint8_t>();
  if (stage > static_cast<std::uint8_t>(ClientStage::kRefused)) return false;
  state.stage = static_cast<ClientStage>(stage);
  const auto flags = in.number<std::uint8_t>();
  state.frame_pings = (flags & kFramePings) != 0;
  state.server_refresh = (flags & kServerRefresh) != 0;
  state.has_token = (flags & kHasToken) != 0;
  const std::string user = in.text();
  if (!user.empty()) state.user = users.hold(user);
  state.expires_at = state.refresh_at = in.number<std::int64_t>();
  state.last_ticket = in.number<Ticket>();
  get_list(in, [&] { get(in, state.subscriptions.emplace_back(), channels); });
  for (const CentrifugeSubscription& one : state.subscriptions)
    state.may_expire = state.may_expire || one.expires_at > 0;
  if ((flags & kHasDetails) != 0) get(in, state.details());
  if ((flags & kHasWork) != 0 && !get(in, state.work(), channels)) return false;
  // The ping that its pong answers may have been an earlier process's.
  state.pong_unasked = true;
  return in.done() && joins_agree(state);
}

}  // namespace sluice::gateway
