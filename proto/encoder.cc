#include "proto/encoder.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/check.h"

namespace sluice::proto {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian; add byte swaps");

template <typename T>
void put(std::string& out, T value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof value);
}

void put_string(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint16_t>(text.size()));
  out.append(text);
}

void put_header(std::string& out, const Header& header) {
  const HeaderBytes raw = encode_header(header);
  out.append(reinterpret_cast<const char*>(raw.data()), raw.size());
}

/// Reason texts are for people: too long ones are cut, not refused, and not inside a character.
std::string_view cut(std::string_view text) {
  if (text.size() <= kReasonBytesMax) return text;
  std::size_t bytes = kReasonBytesMax;
  const auto continues = [&] { return (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U; };
  while (continues() && bytes > kReasonBytesMax - 3) --bytes;
  return text.substr(0, bytes);
}

std::uint32_t string_bytes(std::string_view text) {
  return static_cast<std::uint32_t>(2 + text.size());
}

}  // namespace

HeaderBytes encode_header(const Header& header) {
  HeaderBytes raw{};
  std::memcpy(raw.data(), &header.length, 4);
  raw[4] = static_cast<std::uint8_t>(header.type);
  raw[5] = header.flags;
  std::memcpy(raw.data() + 6, &header.meta_length, 2);
  std::memcpy(raw.data() + 8, &header.channel, 4);
  std::memcpy(raw.data() + 12, &header.aux, 4);
  std::memcpy(raw.data() + 16, &header.sequence, 8);
  std::memcpy(raw.data() + 24, &header.offset, 8);
  return raw;
}

HeaderBytes encode_message_header(const Message& m) {
  CHECK(m.payload.size() <= kPayloadBytesMax && m.meta.size() <= kMetaBytesMax);
  return encode_header({.length = static_cast<std::uint32_t>(m.payload.size() + m.meta.size()),
                        .type = FrameType::kMessage,
                        .flags = m.beside ? kFlagBeside : std::uint8_t{0},
                        .meta_length = static_cast<std::uint16_t>(m.meta.size()),
                        .channel = m.channel_id,
                        .aux = m.received_micros,
                        .sequence = m.sequence,
                        .offset = m.offset});
}

void encode(std::string& out, const Message& m) {
  const HeaderBytes raw = encode_message_header(m);
  out.append(reinterpret_cast<const char*>(raw.data()), raw.size());
  out.append(as_text(m.payload));
  out.append(as_text(m.meta));
}

void encode(std::string& out, const Hello& h) {
  CHECK(h.gateway_id.size() <= kGatewayIdBytesMax && h.software.size() <= kSoftwareBytesMax);
  std::uint8_t flags = 0;
  if (h.resume) flags |= kFlagResume;
  if (h.tool) flags |= kFlagTool;
  if (h.forgotten) flags |= kFlagForgotten;
  put_header(out, {.length = 16 + string_bytes(h.gateway_id) + string_bytes(h.software),
                   .type = FrameType::kHello,
                   .flags = flags,
                   .sequence = h.last_sequence});
  put(out, kMagic);
  put(out, h.version_min);
  put(out, h.version_max);
  put(out, h.relay_instance);
  put_string(out, h.gateway_id);
  put_string(out, h.software);
}

void encode(std::string& out, const Welcome& w) {
  CHECK(w.software.size() <= kSoftwareBytesMax && w.drained.size() <= kDrainMarksMax);
  // Nothing to tell: as a release that knows nothing of it would say it.
  const bool features = w.features != 0;
  const bool keeps = w.ring_age_ms != 0 || w.linger_ms != 0 || features;
  const bool marks = !w.drained.empty() || keeps;
  std::uint32_t marks_bytes = marks ? 2 : 0;
  for (const std::string_view balancer : w.drained) {
    CHECK(balancer.size() <= kBalancerBytesMax);
    marks_bytes += string_bytes(balancer);
  }
  std::uint8_t flags = 0;
  if (w.resumed) flags |= kFlagResumed;
  if (w.tells_all) flags |= kFlagTellsAll;
  put_header(out, {.length = 12 + string_bytes(w.software) + marks_bytes + (keeps ? 8U : 0U) +
                             (features ? 4U : 0U),
                   .type = FrameType::kWelcome,
                   .flags = flags,
                   .aux = w.version,
                   .sequence = w.last_sequence});
  put(out, w.relay_instance);
  put(out, w.payload_bytes_max);
  put_string(out, w.software);
  if (marks) put(out, static_cast<std::uint16_t>(w.drained.size()));
  for (const std::string_view balancer : w.drained) put_string(out, balancer);
  if (!keeps) return;
  put(out, w.ring_age_ms);
  put(out, w.linger_ms);
  if (features) put(out, w.features);
}

void encode(std::string& out, const Subscribe& s) {
  CHECK(!s.channel.empty() && s.channel.size() <= kChannelNameBytesMax);
  put_header(out, {.length = 8 + string_bytes(s.channel),
                   .type = FrameType::kSubscribe,
                   .flags = s.from_position ? kFlagFromPosition : std::uint8_t{0},
                   .sequence = s.request,
                   .offset = s.position.offset});
  put(out, s.position.epoch);
  put_string(out, s.channel);
}

void encode(std::string& out, const Subscribed& s) {
  CHECK(!s.channel.empty() && s.channel.size() <= kChannelNameBytesMax && s.channel_id != 0);
  std::uint8_t flags = 0;
  if (s.continuous) flags |= kFlagContinuous;
  if (s.history) flags |= kFlagHistory;
  put_header(out, {.length = 8 + string_bytes(s.channel),
                   .type = FrameType::kSubscribed,
                   .flags = flags,
                   .channel = s.channel_id,
                   .sequence = s.request,
                   .offset = s.start.offset});
  put(out, s.start.epoch);
  put_string(out, s.channel);
}

void encode(std::string& out, const Publish& p) {
  CHECK(p.payload.size() <= kPayloadBytesMax && p.meta.size() <= kMetaBytesMax);
  const bool named = p.channel_id == 0;
  CHECK(!named || (!p.channel.empty() && p.channel.size() <= kChannelNameBytesMax));
  const std::size_t name_bytes = named ? string_bytes(p.channel) : 0;
  std::uint8_t flags = 0;
  if (p.acknowledge) flags |= kFlagAcknowledge;
  if (named) flags |= kFlagNamed;
  put_header(out,
             {.length = static_cast<std::uint32_t>(name_bytes + p.payload.size() + p.meta.size()),
              .type = FrameType::kPublish,
              .flags = flags,
              .meta_length = static_cast<std::uint16_t>(p.meta.size()),
              .channel = p.channel_id,
              .aux = p.wait_ms,
              .sequence = p.request});
  if (named) put_string(out, p.channel);
  out.append(as_text(p.payload));
  out.append(as_text(p.meta));
}

void encode(std::string& out, const ErrorFrame& e) {
  const std::string_view text = cut(e.text);
  put_header(out, {.length = string_bytes(text),
                   .type = FrameType::kError,
                   .aux = static_cast<std::uint32_t>(e.reason),
                   .sequence = e.request});
  put_string(out, text);
}

void encode(std::string& out, const Gap& g) {
  put_header(out, {.length = 32,
                   .type = FrameType::kGap,
                   .channel = g.channel_id,
                   .aux = static_cast<std::uint32_t>(g.cause),
                   .sequence = g.sequence,
                   .offset = g.position.offset});
  put(out, g.position.epoch);
  put(out, g.first_missing);
  put(out, g.count);
  put(out, g.duration_ms);
}

void encode(std::string& out, const BrokerState& s) {
  const std::string_view reason = cut(s.reason);
  put_header(out, {.length = string_bytes(reason),
                   .type = FrameType::kBrokerState,
                   .aux = static_cast<std::uint32_t>(s.state)});
  put_string(out, reason);
}

void encode(std::string& out, const Goodbye& g) {
  const std::string_view text = cut(g.text);
  put_header(out, {.length = string_bytes(text),
                   .type = FrameType::kGoodbye,
                   .aux = static_cast<std::uint32_t>(g.reason)});
  put_string(out, text);
}

void encode(std::string& out, const Status& s) {
  put_header(out, {.type = FrameType::kStatus,
                   .flags = kFlagSkippable,
                   .aux = s.channels_max,
                   .sequence = s.request});
}

void encode(std::string& out, const StatusReply& r) {
  CHECK(r.json.size() <= kStatusBytesMax);
  put_header(out, {.length = static_cast<std::uint32_t>(r.json.size()),
                   .type = FrameType::kStatusReply,
                   .sequence = r.request});
  out.append(r.json);
}

void encode(std::string& out, const GatewayInfo& info) {
  // Nothing to tell: as a release that does not know the fields would say it.
  const bool totals = info.users != 0 || info.subscriptions != 0 || info.channels != 0;
  const bool handoff = info.handoff != HandoffState::kOff || totals;
  const bool leaving = info.leaving != 0 || handoff;
  put_header(out, {.length = 8U + (leaving ? 4U : 0U) + (handoff ? 26U : 0U) + (totals ? 12U : 0U),
                   .type = FrameType::kGatewayInfo,
                   .flags = kFlagSkippable,
                   .aux = static_cast<std::uint32_t>(info.condition)});
  put(out, info.clients);
  put(out, info.clients_max);
  if (leaving) put(out, info.leaving);
  if (!handoff) return;
  put(out, info.handoff);
  put(out, info.takeover.kind);
  put(out, info.held);
  put(out, info.takeover.clients);
  put(out, info.takeover.closed);
  put(out, info.takeover.pause_ms);
  put(out, info.takeover.ended_ms);
  if (!totals) return;
  put(out, info.users);
  put(out, info.subscriptions);
  put(out, info.channels);
}

void encode(std::string& out, const DrainMark& mark) {
  CHECK(!mark.balancer.empty() && mark.balancer.size() <= kBalancerBytesMax);
  put_header(out, {.length = string_bytes(mark.balancer),
                   .type = FrameType::kDrainMark,
                   .flags = kFlagSkippable,
                   .aux = mark.set ? 1U : 0U});
  put_string(out, mark.balancer);
}

void encode(std::string& out, const Control& control) {
  CHECK(control.gateway_id.size() <= kGatewayIdBytesMax);
  put_header(out, {.length = 8 + string_bytes(control.gateway_id),
                   .type = FrameType::kControl,
                   .flags = kFlagSkippable,
                   .aux = static_cast<std::uint32_t>(control.action),
                   .sequence = control.request});
  put(out, control.older_than_ms);
  put_string(out, control.gateway_id);
}

void encode(std::string& out, const History& h) {
  CHECK(!h.channel.empty() && h.channel.size() <= kChannelNameBytesMax);
  CHECK(!h.recover || (h.query.since && !h.query.reverse));
  std::uint8_t flags = kFlagSkippable;
  if (h.recover) flags |= kFlagRecover;
  if (h.query.since) flags |= kFlagSince;
  if (h.query.reverse) flags |= kFlagReverse;
  const Position since = h.query.since.value_or(Position{});
  put_header(out, {.length = 8 + string_bytes(h.channel),
                   .type = FrameType::kHistory,
                   .flags = flags,
                   .aux = h.query.limit,
                   .sequence = h.request,
                   .offset = since.offset});
  put(out, since.epoch);
  put_string(out, h.channel);
}

HeaderBytes encode_history_item_header(const HistoryItem& item) {
  CHECK(item.payload.size() <= kPayloadBytesMax && item.meta.size() <= kMetaBytesMax);
  return encode_header(
      {.length = static_cast<std::uint32_t>(item.payload.size() + item.meta.size()),
       .type = FrameType::kHistoryItem,
       .flags = kFlagSkippable,
       .meta_length = static_cast<std::uint16_t>(item.meta.size()),
       .sequence = item.request,
       .offset = item.offset});
}

void encode(std::string& out, const HistoryItem& item) {
  const HeaderBytes raw = encode_history_item_header(item);
  out.append(reinterpret_cast<const char*>(raw.data()), raw.size());
  out.append(as_text(item.payload));
  out.append(as_text(item.meta));
}

void encode(std::string& out, const HistoryEnd& end) {
  std::uint8_t flags = kFlagSkippable;
  if (end.complete) flags |= kFlagComplete;
  put_header(out, {.length = 8,
                   .type = FrameType::kHistoryEnd,
                   .flags = flags,
                   .sequence = end.request,
                   .offset = end.top.offset});
  put(out, end.top.epoch);
}

void encode(std::string& out, const PresenceSet& set) {
  CHECK(!set.channel.empty() && set.channel.size() <= kChannelNameBytesMax);
  CHECK(!set.client.empty() && set.client.size() <= kClientIdBytesMax);
  CHECK(set.user.size() <= kUserBytesMax && set.info.size() <= kPresenceInfoBytesMax);
  put_header(out, {.length = string_bytes(set.channel) + string_bytes(set.client) +
                             string_bytes(set.user) + static_cast<std::uint32_t>(set.info.size()),
                   .type = FrameType::kPresenceSet,
                   .flags = kFlagSkippable});
  put_string(out, set.channel);
  put_string(out, set.client);
  put_string(out, set.user);
  out.append(as_text(set.info));
}

void encode(std::string& out, const PresenceClear& clear) {
  CHECK(!clear.channel.empty() && clear.channel.size() <= kChannelNameBytesMax);
  CHECK(!clear.client.empty() && clear.client.size() <= kClientIdBytesMax);
  put_header(out, {.length = string_bytes(clear.channel) + string_bytes(clear.client),
                   .type = FrameType::kPresenceClear,
                   .flags = kFlagSkippable});
  put_string(out, clear.channel);
  put_string(out, clear.client);
}

void encode(std::string& out, const Presence& presence) {
  CHECK(!presence.channel.empty() && presence.channel.size() <= kChannelNameBytesMax);
  std::uint8_t flags = kFlagSkippable;
  if (presence.counts_only) flags |= kFlagCountsOnly;
  put_header(out, {.length = string_bytes(presence.channel),
                   .type = FrameType::kPresence,
                   .flags = flags,
                   .sequence = presence.request});
  put_string(out, presence.channel);
}

void encode(std::string& out, const PresenceItem& item) {
  CHECK(!item.client.empty() && item.client.size() <= kClientIdBytesMax);
  CHECK(item.info.size() <= kPresenceInfoBytesMax);
  put_header(out,
             {.length = string_bytes(item.client) + static_cast<std::uint32_t>(item.info.size()),
              .type = FrameType::kPresenceItem,
              .flags = kFlagSkippable,
              .sequence = item.request});
  put_string(out, item.client);
  out.append(as_text(item.info));
}

void encode(std::string& out, const PresenceEnd& end) {
  put_header(out, {.length = 8,
                   .type = FrameType::kPresenceEnd,
                   .flags = kFlagSkippable,
                   .sequence = end.request});
  put(out, end.clients);
  put(out, end.users);
}

void encode_presence_synced(std::string& out) {
  put_header(out, {.type = FrameType::kPresenceSynced, .flags = kFlagSkippable});
}

void encode_controlled(std::string& out, std::uint64_t request) {
  put_header(out, {.type = FrameType::kControlled, .sequence = request});
}

void encode_unsubscribe(std::string& out, std::uint32_t channel_id) {
  put_header(out, {.type = FrameType::kUnsubscribe, .channel = channel_id});
}

void encode_unsubscribed(std::string& out, std::uint32_t channel_id) {
  put_header(out, {.type = FrameType::kUnsubscribed, .channel = channel_id});
}

void encode_published(std::string& out, std::uint64_t request) {
  put_header(out, {.type = FrameType::kPublished, .sequence = request});
}

void encode_ping(std::string& out, std::uint64_t token) {
  put_header(out, {.type = FrameType::kPing, .sequence = token});
}

void encode_pong(std::string& out, std::uint64_t token) {
  put_header(out, {.type = FrameType::kPong, .sequence = token});
}

}  // namespace sluice::proto
