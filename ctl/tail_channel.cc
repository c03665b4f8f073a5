#include "ctl/tail_channel.h"

#include <utility>

#include "proto/decoder.h"
#include "proto/encoder.h"

namespace sluice::ctl {

using proto::FrameType;
using Kind = TailEvent::Kind;

namespace {

/// When the broker delivered it, from the low 32 bits of the monotonic clock.
WallTime delivered_at(std::uint32_t micros, const Clocks& now) {
  const std::chrono::microseconds age(wire_micros(now.steady) - micros);
  return now.wall - std::chrono::duration_cast<std::chrono::milliseconds>(age);
}

std::uint64_t ms_between(TimePoint from, TimePoint to) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count());
}

template <typename T>
tl::unexpected<Failure> not_understood(const Result<T>& body) {
  return failure(ExitCode::kLinkRefused, body.error().message);
}

}  // namespace

TailEvent TailChannel::event(Kind kind, const Clocks& now) const {
  TailEvent e;
  e.kind = kind;
  e.time = now.wall;
  e.channel = name_;
  e.position = position_;
  return e;
}

void TailChannel::connected(std::string& out, const Clocks& now, std::vector<TailEvent>& events) {
  if (outage_) events.push_back(event(Kind::kLinkBack, now));
  outage_.reset();
  channel_id_ = 0;
  proto::encode(out, proto::Subscribe{.request = ++request_,
                                      .from_position = position_.epoch != 0,
                                      .position = position_,
                                      .channel = name_});
}

void TailChannel::lost(const std::string& reason, const Clocks& now,
                       std::vector<TailEvent>& events) {
  if (!outage_) lost_at_ = now.steady;
  if (outage_ == reason) return;
  outage_ = reason;
  broker_connected_.reset();
  TailEvent e = event(Kind::kLinkLost, now);
  e.text = reason;
  events.push_back(std::move(e));
}

Outcome<void> TailChannel::take(const proto::FrameView& frame, const Clocks& now,
                                std::vector<TailEvent>& events) {
  switch (frame.header.type) {
    case FrameType::kSubscribed: {
      const auto body = proto::decode_subscribed(frame);
      if (!body) return not_understood(body);
      on_subscribed(*body, now, events);
      return {};
    }
    case FrameType::kMessage: {
      const auto body = proto::decode_message(frame);
      if (!body) return not_understood(body);
      on_message(*body, now, events);
      return {};
    }
    case FrameType::kGap: {
      const auto body = proto::decode_gap(frame);
      if (!body) return not_understood(body);
      on_gap(*body, now, events);
      return {};
    }
    case FrameType::kBrokerState: {
      const auto body = proto::decode_broker_state(frame);
      if (!body) return not_understood(body);
      on_broker(*body, now, events);
      return {};
    }
    case FrameType::kError: {
      const auto body = proto::decode_error(frame);
      if (!body) return not_understood(body);
      return failure(ExitCode::kRefused,
                     "the relay refuses channel " + name_ + ": " + std::string(body->text));
    }
    default:
      return {};
  }
}

void TailChannel::on_subscribed(const proto::Subscribed& answer, const Clocks& now,
                                std::vector<TailEvent>& events) {
  if (answer.channel != name_) return;
  channel_id_ = answer.channel_id;
  const proto::Position before = std::exchange(position_, answer.start);
  const bool missed = before.epoch != 0 && !answer.continuous;
  TailEvent subscribed = event(Kind::kSubscribed, now);
  subscribed.good = !missed;
  events.push_back(std::move(subscribed));
  if (!missed) return;
  TailEvent gap = event(Kind::kGap, now);
  const bool same = before.epoch == answer.start.epoch && answer.start.offset >= before.offset;
  gap.cause = same ? "overrun" : "relay restarted or broker lost";
  if (same) gap.missing = answer.start.offset - before.offset;
  gap.duration_ms = ms_between(lost_at_, now.steady);
  events.push_back(std::move(gap));
}

void TailChannel::on_message(const proto::Message& message, const Clocks& now,
                             std::vector<TailEvent>& events) {
  if (message.channel_id != channel_id_) return;
  position_.offset = message.offset;
  TailEvent e = event(Kind::kMessage, now);
  e.time = delivered_at(message.received_micros, now);
  e.beside = message.beside;
  e.text = proto::as_text(message.payload);
  events.push_back(std::move(e));
}

void TailChannel::on_gap(const proto::Gap& gap, const Clocks& now, std::vector<TailEvent>& events) {
  if (gap.channel_id != channel_id_) return;
  position_ = gap.position;
  TailEvent e = event(Kind::kGap, now);
  e.cause = proto::to_string(gap.cause);
  e.missing = gap.count;
  e.duration_ms = gap.duration_ms;
  events.push_back(std::move(e));
}

void TailChannel::on_broker(const proto::BrokerState& state, const Clocks& now,
                            std::vector<TailEvent>& events) {
  const bool connected = state.state == proto::BrokerLink::kConnected;
  const bool known = broker_connected_.has_value();
  if (broker_connected_ == connected) return;
  broker_connected_ = connected;
  // That it is connected from the start is what everybody expects.
  if (!known && connected) return;
  TailEvent e = event(Kind::kBroker, now);
  e.good = connected;
  e.text = state.reason;
  events.push_back(std::move(e));
}

}  // namespace sluice::ctl
