#include "proto/decoder.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "common/check.h"

namespace sluice::proto {
namespace {

constexpr std::size_t kReadChunkBytes = 64U << 10U;
/// A buffer that one large frame has grown is given back when it is empty again.
constexpr std::size_t kKeepBytesMax = 4 * kReadChunkBytes;

bool carries_payload(FrameType type) {
  return type == FrameType::kPublish || type == FrameType::kMessage ||
         type == FrameType::kHistoryItem;
}

/// Of bodies that are no payload.
std::size_t small_body_bytes_max(FrameType type) {
  switch (type) {
    case FrameType::kStatusReply:
      return kStatusBytesMax;
    case FrameType::kPresenceSet:
    case FrameType::kPresenceItem:
      return kPresenceBodyBytesMax;
    default:
      return kControlBodyBytesMax;
  }
}

bool known_type(FrameType type) {
  return type >= FrameType::kHello && type <= kLastFrameType;
}

/// Reads a body field by field; the first fault sticks.
class BodyReader {
 public:
  BodyReader(Bytes body, const char* frame) : rest_(body), frame_(frame) {}

  template <typename T>
  T integer(const char* field) {
    T value{};
    if (rest_.size() < sizeof value) {
      fault(field, "is cut short");
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_ = rest_.subspan(sizeof value);
    return value;
  }

  std::string_view string(const char* field, std::size_t bytes_max) {
    const auto length = integer<std::uint16_t>(field);
    if (length > bytes_max) fault(field, "is longer than allowed");
    if (length > rest_.size()) fault(field, "is cut short");
    if (!error_.empty()) return {};
    const std::string_view text = as_text(rest_.first(length));
    rest_ = rest_.subspan(length);
    return text;
  }

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  Bytes take_rest() { return std::exchange(rest_, {}); }

  void fault(const char* field, const char* what) {
    if (error_.empty()) error_ = std::string(frame_) + ": " + field + " " + what;
  }
  void must_end() {
    if (!rest_.empty()) fault("body", "has bytes behind its last field");
  }

  template <typename T>
  [[nodiscard]] Result<T> done(T value) const {
    if (!error_.empty()) return fail(ErrorCode::kInvalid, error_);
    return value;
  }

 private:
  Bytes rest_;
  const char* frame_;
  std::string error_;
};

}  // namespace

Decoder::Decoder(std::size_t payload_bytes_max)
    : body_bytes_max_(payload_bytes_max + kMetaBytesMax + kNameFieldBytesMax) {
  CHECK(payload_bytes_max <= kPayloadBytesMax);
}

std::span<std::uint8_t> Decoder::prepare() {
  // Behind an error nothing is ever read again: it must not pile up.
  if (error_ || begin_ == end_) {
    begin_ = end_ = 0;
    if (buffer_.size() > kKeepBytesMax) std::vector<std::uint8_t>(kReadChunkBytes).swap(buffer_);
  }
  std::size_t wanted = kReadChunkBytes;
  if (const std::size_t have = end_ - begin_; have >= kHeaderBytes) {
    std::uint32_t length = 0;
    std::memcpy(&length, buffer_.data() + begin_, sizeof length);
    if (length <= body_bytes_max_)
      wanted = std::max(wanted, kHeaderBytes + length - std::min(have, kHeaderBytes + length));
  }
  if (buffer_.size() - end_ < wanted && begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < wanted) buffer_.resize(end_ + wanted);
  return std::span(buffer_).subspan(end_);
}

void Decoder::commit(std::size_t bytes) {
  CHECK(bytes <= buffer_.size() - end_);
  end_ += bytes;
}

void Decoder::feed(Bytes input) {
  while (!input.empty()) {
    const std::span<std::uint8_t> room = prepare();
    const std::size_t n = std::min(room.size(), input.size());
    std::memcpy(room.data(), input.data(), n);
    commit(n);
    input = input.subspan(n);
  }
}

Result<Header> Decoder::read_header() const {
  Header h;
  const std::uint8_t* p = buffer_.data() + begin_;
  std::memcpy(&h.length, p, 4);
  h.type = static_cast<FrameType>(p[4]);
  h.flags = p[5];
  std::memcpy(&h.meta_length, p + 6, 2);
  std::memcpy(&h.channel, p + 8, 4);
  std::memcpy(&h.aux, p + 12, 4);
  std::memcpy(&h.sequence, p + 16, 8);
  std::memcpy(&h.offset, p + 24, 8);
  const bool known = known_type(h.type);
  if (!known && (h.flags & kFlagSkippable) == 0) {
    return fail(ErrorCode::kInvalid,
                "unknown frame type " + std::to_string(p[4]) + " that may not be skipped");
  }
  const bool payload = carries_payload(h.type);
  if (h.length > (payload ? body_bytes_max_ : small_body_bytes_max(h.type))) {
    return fail(ErrorCode::kTooLarge, "frame type " + std::to_string(p[4]) + " with a body of " +
                                          std::to_string(h.length) + " bytes, over the bound");
  }
  if (h.meta_length > kMetaBytesMax || h.meta_length > h.length ||
      (!payload && known && h.meta_length != 0)) {
    return fail(ErrorCode::kInvalid,
                "frame type " + std::to_string(p[4]) + " with a bad meta length");
  }
  return h;
}

Result<std::optional<FrameView>> Decoder::next() {
  for (;;) {
    if (error_) return tl::make_unexpected(*error_);
    if (end_ - begin_ < kHeaderBytes) return std::nullopt;
    Result<Header> header = read_header();
    if (!header) {
      error_ = header.error();
      continue;
    }
    const std::size_t whole = kHeaderBytes + header->length;
    if (end_ - begin_ < whole) return std::nullopt;
    const FrameView frame{*header, Bytes(buffer_).subspan(begin_ + kHeaderBytes, header->length)};
    begin_ += whole;
    if (!known_type(header->type)) continue;  // skippable
    return frame;
  }
}

Result<Hello> decode_hello(const FrameView& f) {
  BodyReader in(f.body, "HELLO");
  Hello h;
  if (in.integer<std::uint32_t>("magic") != kMagic)
    in.fault("magic", "is not that of a Sluice gateway");
  h.resume = (f.header.flags & kFlagResume) != 0;
  h.tool = (f.header.flags & kFlagTool) != 0;
  h.forgotten = (f.header.flags & kFlagForgotten) != 0;
  h.last_sequence = f.header.sequence;
  h.version_min = in.integer<std::uint16_t>("lowest version");
  h.version_max = in.integer<std::uint16_t>("highest version");
  h.relay_instance = in.integer<std::uint64_t>("relay instance");
  h.gateway_id = in.string("gateway id", kGatewayIdBytesMax);
  h.software = in.string("software", kSoftwareBytesMax);
  if (h.version_min > h.version_max) in.fault("versions", "are the wrong way round");
  return in.done(h);
}

Result<Welcome> decode_welcome(const FrameView& f) {
  BodyReader in(f.body, "WELCOME");
  Welcome w;
  w.resumed = (f.header.flags & kFlagResumed) != 0;
  w.tells_all = (f.header.flags & kFlagTellsAll) != 0;
  w.version = f.header.aux;
  w.last_sequence = f.header.sequence;
  w.relay_instance = in.integer<std::uint64_t>("relay instance");
  w.payload_bytes_max = in.integer<std::uint32_t>("largest payload");
  w.software = in.string("software", kSoftwareBytesMax);
  if (w.relay_instance == 0) in.fault("relay instance", "is 0");
  if (w.version < kVersionMin || w.version > kVersionMax) in.fault("version", "was not offered");
  if (in.empty()) return in.done(w);  // an older relay, which remembers no drains
  const auto marks = in.integer<std::uint16_t>("drain marks");
  if (marks > kDrainMarksMax) in.fault("drain marks", "are too many");
  for (std::size_t i = 0; i < std::min<std::size_t>(marks, kDrainMarksMax); ++i)
    w.drained.push_back(in.string("drain mark", kBalancerBytesMax));
  if (in.empty()) return in.done(w);  // one that does not say how long it keeps what
  w.ring_age_ms = in.integer<std::uint32_t>("ring's age");
  w.linger_ms = in.integer<std::uint32_t>("linger");
  if (in.empty()) return in.done(w);  // or that has none of the features
  w.features = in.integer<std::uint32_t>("features");
  return in.done(w);
}

Result<Subscribe> decode_subscribe(const FrameView& f) {
  BodyReader in(f.body, "SUBSCRIBE");
  Subscribe s;
  s.request = f.header.sequence;
  s.from_position = (f.header.flags & kFlagFromPosition) != 0;
  s.position = {in.integer<std::uint64_t>("epoch"), f.header.offset};
  s.channel = in.string("channel name", kChannelNameBytesMax);
  if (s.channel.empty()) in.fault("channel name", "is empty");
  in.must_end();
  return in.done(s);
}

Result<Subscribed> decode_subscribed(const FrameView& f) {
  BodyReader in(f.body, "SUBSCRIBED");
  Subscribed s;
  s.request = f.header.sequence;
  s.channel_id = f.header.channel;
  s.continuous = (f.header.flags & kFlagContinuous) != 0;
  s.history = (f.header.flags & kFlagHistory) != 0;
  s.start = {in.integer<std::uint64_t>("epoch"), f.header.offset};
  s.channel = in.string("channel name", kChannelNameBytesMax);
  if (s.channel.empty()) in.fault("channel name", "is empty");
  if (s.channel_id == 0) in.fault("channel id", "is 0");
  if (s.start.epoch == 0 && s.request != 0) in.fault("epoch", "is 0");
  in.must_end();
  return in.done(s);
}

Result<Publish> decode_publish(const FrameView& f) {
  BodyReader in(f.body.first(f.body.size() - f.header.meta_length), "PUBLISH");
  Publish p;
  p.request = f.header.sequence;
  p.acknowledge = (f.header.flags & kFlagAcknowledge) != 0;
  p.channel_id = f.header.channel;
  p.wait_ms = f.header.aux;
  p.meta = f.body.last(f.header.meta_length);
  if ((f.header.flags & kFlagNamed) != 0) {
    p.channel = in.string("channel name", kChannelNameBytesMax);
    if (p.channel.empty()) in.fault("channel name", "is empty");
    if (p.channel_id != 0) in.fault("channel id", "stands beside a name");
  } else if (p.channel_id == 0) {
    in.fault("channel id", "is 0");
  }
  p.payload = in.take_rest();
  if (p.payload.size() > kPayloadBytesMax) in.fault("payload", "is longer than allowed");
  return in.done(p);
}

Result<ErrorFrame> decode_error(const FrameView& f) {
  BodyReader in(f.body, "ERROR");
  ErrorFrame e{f.header.sequence, static_cast<ErrorReason>(f.header.aux),
               in.string("text", kReasonBytesMax)};
  in.must_end();
  return in.done(e);
}

Result<Message> decode_message(const FrameView& f) {
  BodyReader in({}, "MESSAGE");
  const std::size_t payload_bytes = f.body.size() - f.header.meta_length;
  // The frame's own bound leaves room for a name, which a MESSAGE has not.
  if (payload_bytes > kPayloadBytesMax) in.fault("payload", "is longer than allowed");
  if (f.header.channel == 0) in.fault("channel id", "is 0");
  return in.done(Message{.channel_id = f.header.channel,
                         .sequence = f.header.sequence,
                         .offset = f.header.offset,
                         .received_micros = f.header.aux,
                         .payload = f.body.first(payload_bytes),
                         .meta = f.body.subspan(payload_bytes),
                         .beside = (f.header.flags & kFlagBeside) != 0});
}

Result<Gap> decode_gap(const FrameView& f) {
  BodyReader in(f.body, "GAP");
  Gap g;
  g.channel_id = f.header.channel;
  g.sequence = f.header.sequence;
  g.cause = static_cast<GapCause>(f.header.aux);
  g.position = {in.integer<std::uint64_t>("epoch"), f.header.offset};
  g.first_missing = in.integer<std::uint64_t>("first missing offset");
  g.count = in.integer<std::uint64_t>("count");
  g.duration_ms = in.integer<std::uint64_t>("duration");
  if (g.channel_id == 0) in.fault("channel id", "is 0");
  // A later release may know more causes: what is missing is said all the same.
  if (f.header.aux == 0) in.fault("cause", "is 0");
  in.must_end();
  return in.done(g);
}

Result<BrokerState> decode_broker_state(const FrameView& f) {
  BodyReader in(f.body, "BROKER_STATE");
  BrokerState s{static_cast<BrokerLink>(f.header.aux), in.string("reason", kReasonBytesMax)};
  if (f.header.aux > 1) in.fault("state", "is unknown");
  in.must_end();
  return in.done(s);
}

Result<Goodbye> decode_goodbye(const FrameView& f) {
  BodyReader in(f.body, "GOODBYE");
  Goodbye g{static_cast<GoodbyeReason>(f.header.aux), in.string("text", kReasonBytesMax)};
  in.must_end();
  return in.done(g);
}

Result<Status> decode_status(const FrameView& f) {
  return BodyReader(f.body, "STATUS").done(Status{f.header.sequence, f.header.aux});
}

Result<StatusReply> decode_status_reply(const FrameView& f) {
  return BodyReader(f.body, "STATUS_REPLY").done(StatusReply{f.header.sequence, as_text(f.body)});
}

Result<GatewayInfo> decode_gateway_info(const FrameView& f) {
  BodyReader in(f.body, "GATEWAY_INFO");
  GatewayInfo info;
  info.condition = static_cast<GatewayCondition>(f.header.aux);
  info.clients = in.integer<std::uint32_t>("clients");
  info.clients_max = in.integer<std::uint32_t>("clients at most");
  if (in.empty()) return in.done(info);  // older releases end here,
  info.leaving = in.integer<std::uint32_t>("clients leaving");
  if (in.empty()) return in.done(info);  // or here
  info.handoff = in.integer<HandoffState>("handoff");
  info.takeover.kind = in.integer<TakeoverKind>("last takeover");
  info.held = in.integer<std::uint32_t>("clients held");
  info.takeover.clients = in.integer<std::uint32_t>("clients taken over");
  info.takeover.closed = in.integer<std::uint32_t>("clients not taken over");
  info.takeover.pause_ms = in.integer<std::uint32_t>("pause");
  info.takeover.ended_ms = in.integer<std::uint64_t>("end of the takeover");
  if (in.empty()) return in.done(info);  // or here
  info.users = in.integer<std::uint32_t>("users");
  info.subscriptions = in.integer<std::uint32_t>("subscriptions");
  info.channels = in.integer<std::uint32_t>("channels");
  return in.done(info);
}

Result<DrainMark> decode_drain_mark(const FrameView& f) {
  BodyReader in(f.body, "DRAIN_MARK");
  const DrainMark mark{f.header.aux != 0, in.string("balancer", kBalancerBytesMax)};
  if (f.header.aux > 1) in.fault("mark", "is neither set nor cleared");
  if (mark.balancer.empty()) in.fault("balancer", "is empty");
  return in.done(mark);
}

Result<Control> decode_control(const FrameView& f) {
  BodyReader in(f.body, "CONTROL");
  Control control;
  control.request = f.header.sequence;
  control.action = static_cast<ControlAction>(f.header.aux);
  control.older_than_ms = in.integer<std::uint64_t>("age");
  control.gateway_id = in.string("gateway id", kGatewayIdBytesMax);
  return in.done(control);
}

Result<History> decode_history(const FrameView& f) {
  BodyReader in(f.body, "HISTORY");
  History h;
  h.request = f.header.sequence;
  h.recover = (f.header.flags & kFlagRecover) != 0;
  h.query.limit = f.header.aux;
  h.query.reverse = (f.header.flags & kFlagReverse) != 0;
  const auto epoch = in.integer<std::uint64_t>("epoch");
  if ((f.header.flags & kFlagSince) != 0) {
    h.query.since = Position{epoch, f.header.offset};
  } else if (epoch != 0) {
    in.fault("epoch", "stands beside no position");
  }
  if (h.recover && !h.query.since) in.fault("position", "is not there, so nothing is recovered");
  if (h.recover && h.query.reverse) in.fault("order", "is not that of a recovery");
  h.channel = in.string("channel name", kChannelNameBytesMax);
  if (h.channel.empty()) in.fault("channel name", "is empty");
  return in.done(h);
}

Result<HistoryItem> decode_history_item(const FrameView& f) {
  BodyReader in({}, "HISTORY_ITEM");
  const std::size_t payload_bytes = f.body.size() - f.header.meta_length;
  if (payload_bytes > kPayloadBytesMax) in.fault("payload", "is longer than allowed");
  return in.done(HistoryItem{f.header.sequence, f.header.offset, f.body.first(payload_bytes),
                             f.body.subspan(payload_bytes)});
}

Result<HistoryEnd> decode_history_end(const FrameView& f) {
  BodyReader in(f.body, "HISTORY_END");
  HistoryEnd end;
  end.request = f.header.sequence;
  end.complete = (f.header.flags & kFlagComplete) != 0;
  end.top = {in.integer<std::uint64_t>("epoch"), f.header.offset};
  return in.done(end);
}

Result<PresenceSet> decode_presence_set(const FrameView& f) {
  BodyReader in(f.body, "PRESENCE_SET");
  PresenceSet set;
  set.channel = in.string("channel name", kChannelNameBytesMax);
  set.client = in.string("client id", kClientIdBytesMax);
  set.user = in.string("user", kUserBytesMax);
  set.info = in.take_rest();
  if (set.channel.empty()) in.fault("channel name", "is empty");
  if (set.client.empty()) in.fault("client id", "is empty");
  if (set.info.size() > kPresenceInfoBytesMax) in.fault("info", "is longer than allowed");
  return in.done(set);
}

Result<PresenceClear> decode_presence_clear(const FrameView& f) {
  BodyReader in(f.body, "PRESENCE_CLEAR");
  PresenceClear clear;
  clear.channel = in.string("channel name", kChannelNameBytesMax);
  clear.client = in.string("client id", kClientIdBytesMax);
  if (clear.channel.empty()) in.fault("channel name", "is empty");
  if (clear.client.empty()) in.fault("client id", "is empty");
  return in.done(clear);
}

Result<Presence> decode_presence(const FrameView& f) {
  BodyReader in(f.body, "PRESENCE");
  const Presence asked{f.header.sequence, (f.header.flags & kFlagCountsOnly) != 0,
                       in.string("channel name", kChannelNameBytesMax)};
  if (asked.channel.empty()) in.fault("channel name", "is empty");
  return in.done(asked);
}

Result<PresenceItem> decode_presence_item(const FrameView& f) {
  BodyReader in(f.body, "PRESENCE_ITEM");
  PresenceItem item;
  item.request = f.header.sequence;
  item.client = in.string("client id", kClientIdBytesMax);
  item.info = in.take_rest();
  if (item.client.empty()) in.fault("client id", "is empty");
  if (item.info.size() > kPresenceInfoBytesMax) in.fault("info", "is longer than allowed");
  return in.done(item);
}

Result<PresenceEnd> decode_presence_end(const FrameView& f) {
  BodyReader in(f.body, "PRESENCE_END");
  PresenceEnd end;
  end.request = f.header.sequence;
  end.clients = in.integer<std::uint32_t>("clients");
  end.users = in.integer<std::uint32_t>("users");
  return in.done(end);
}

Result<std::uint32_t> decode_channel_only(const FrameView& f) {
  BodyReader in(f.body, "UNSUBSCRIBE");
  if (f.header.channel == 0) in.fault("channel id", "is 0");
  in.must_end();
  return in.done(f.header.channel);
}

Result<std::uint64_t> decode_sequence_only(const FrameView& f) {
  BodyReader in(f.body, "frame without a body");
  in.must_end();
  return in.done(f.header.sequence);
}

}  // namespace sluice::proto
