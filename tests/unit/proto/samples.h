// One frame of each type, and the way back from bytes to struct, for the tests of the codec.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "proto/decoder.h"
#include "proto/encoder.h"

namespace sluice::proto {

template <typename T>
std::string encoded(const T& frame) {
  std::string out;
  encode(out, frame);
  return out;
}

struct Sample {
  FrameType type;
  std::string bytes;
};

/// Every type; PUBLISH, HELLO and HISTORY in both their forms.
inline std::vector<Sample> one_of_each() {
  std::vector<Sample> all;
  const auto add = [&all](FrameType type, std::string bytes) {
    all.push_back({type, std::move(bytes)});
  };
  const auto add_small = [&add](FrameType type, auto encode_small) {
    std::string bytes;
    encode_small(bytes, 77);
    add(type, bytes);
  };
  add(FrameType::kHello, encoded(Hello{.resume = true,
                                       .last_sequence = 12,
                                       .relay_instance = 34,
                                       .gateway_id = "1111",
                                       .software = "test/1"}));
  add(FrameType::kWelcome, encoded(Welcome{.resumed = true,
                                           .last_sequence = 56,
                                           .relay_instance = 34,
                                           .software = "test/2",
                                           .drained = {"127.0.0.1", "2001:db8::7"},
                                           .ring_age_ms = 300000,
                                           .linger_ms = 60000,
                                           .features = kFeatureHistory}));
  add(FrameType::kSubscribe,
      encoded(Subscribe{
          .request = 1, .from_position = true, .position = {9, 4}, .channel = "livechat"}));
  add(FrameType::kSubscribed, encoded(Subscribed{.request = 1,
                                                 .channel_id = 3,
                                                 .continuous = true,
                                                 .history = true,
                                                 .start = {9, 4},
                                                 .channel = "livechat"}));
  add_small(FrameType::kUnsubscribe, encode_unsubscribe);
  add_small(FrameType::kUnsubscribed, encode_unsubscribed);
  add(FrameType::kPublish, encoded(Publish{.request = 2,
                                           .acknowledge = true,
                                           .channel_id = 3,
                                           .channel = {},
                                           .wait_ms = 5000,
                                           .payload = as_bytes("by id"),
                                           .meta = as_bytes("who")}));
  add(FrameType::kPublish,
      encoded(Publish{
          .request = 3, .channel = "livechat", .wait_ms = 1, .payload = as_bytes("by name")}));
  add_small(FrameType::kPublished, encode_published);
  add(FrameType::kError,
      encoded(ErrorFrame{.request = 3, .reason = ErrorReason::kTimedOut, .text = "too late"}));
  add(FrameType::kMessage, encoded(Message{.channel_id = 3,
                                           .sequence = 8,
                                           .offset = 5,
                                           .received_micros = 99,
                                           .payload = as_bytes("hello"),
                                           .meta = as_bytes("who")}));
  add(FrameType::kGap, encoded(Gap{.channel_id = 3,
                                   .sequence = 9,
                                   .cause = GapCause::kOverrun,
                                   .position = {9, 8},
                                   .first_missing = 6,
                                   .count = 3,
                                   .duration_ms = 0}));
  add(FrameType::kBrokerState,
      encoded(BrokerState{.state = BrokerLink::kAway, .reason = "refused"}));
  add_small(FrameType::kPing, encode_ping);
  add_small(FrameType::kPong, encode_pong);
  add(FrameType::kGoodbye, encoded(Goodbye{.reason = GoodbyeReason::kReplaced, .text = "bye"}));
  add(FrameType::kHello, encoded(Hello{.tool = true, .gateway_id = "", .software = "sluice/1"}));
  add(FrameType::kStatus, encoded(Status{.request = 4, .channels_max = 20}));
  add(FrameType::kStatusReply, encoded(StatusReply{.request = 4, .json = R"({"format":1})"}));
  add(FrameType::kGatewayInfo, encoded(GatewayInfo{.condition = GatewayCondition::kDegraded,
                                                   .clients = 12,
                                                   .clients_max = 10000,
                                                   .leaving = 3,
                                                   .handoff = HandoffState::kKeeperAway,
                                                   .held = 4,
                                                   .takeover = {.kind = TakeoverKind::kCrash,
                                                                .clients = 7,
                                                                .closed = 1,
                                                                .pause_ms = 0,
                                                                .ended_ms = 99},
                                                   .users = 5,
                                                   .subscriptions = 30,
                                                   .channels = 6}));
  add(FrameType::kDrainMark, encoded(DrainMark{.set = true, .balancer = "127.0.0.1"}));
  add(FrameType::kControl, encoded(Control{.request = 5,
                                           .action = ControlAction::kDrain,
                                           .older_than_ms = 60000,
                                           .gateway_id = "1111"}));
  add_small(FrameType::kControlled, encode_controlled);
  add(FrameType::kHistory,
      encoded(History{.request = 6,
                      .recover = true,
                      .query = {.since = Position{9, 4}, .limit = 100, .reverse = false},
                      .channel = "livechat"}));
  add(FrameType::kHistory, encoded(History{.request = 7,
                                           .query = {.since = {}, .limit = 3, .reverse = true},
                                           .channel = "livechat"}));
  add(FrameType::kHistoryItem,
      encoded(HistoryItem{
          .request = 6, .offset = 5, .payload = as_bytes("hello"), .meta = as_bytes("who")}));
  add(FrameType::kHistoryEnd, encoded(HistoryEnd{.request = 6, .complete = true, .top = {9, 5}}));
  add(FrameType::kPresenceSet,
      encoded(PresenceSet{
          .channel = "livechat", .client = "c-1", .user = "ann", .info = as_bytes("info")}));
  add(FrameType::kPresenceClear, encoded(PresenceClear{.channel = "livechat", .client = "c-1"}));
  std::string synced;
  encode_presence_synced(synced);
  add(FrameType::kPresenceSynced, synced);
  add(FrameType::kPresence,
      encoded(Presence{.request = 8, .counts_only = true, .channel = "livechat"}));
  add(FrameType::kPresenceItem,
      encoded(PresenceItem{.request = 8, .client = "c-1", .info = as_bytes("info")}));
  add(FrameType::kPresenceEnd, encoded(PresenceEnd{.request = 8, .clients = 2, .users = 1}));
  return all;
}

/// Decodes the body as what its header says, and encodes it again.
inline Result<std::string> again(const FrameView& frame) {
  const auto via = [](const auto& decoded) -> Result<std::string> {
    if (!decoded) return tl::make_unexpected(decoded.error());
    return encoded(*decoded);
  };
  const auto via_small = [](const auto& decoded, auto encode_small) -> Result<std::string> {
    if (!decoded) return tl::make_unexpected(decoded.error());
    std::string out;
    encode_small(out, *decoded);
    return out;
  };
  switch (frame.header.type) {
    case FrameType::kHello:
      return via(decode_hello(frame));
    case FrameType::kWelcome:
      return via(decode_welcome(frame));
    case FrameType::kSubscribe:
      return via(decode_subscribe(frame));
    case FrameType::kSubscribed:
      return via(decode_subscribed(frame));
    case FrameType::kUnsubscribe:
      return via_small(decode_channel_only(frame), encode_unsubscribe);
    case FrameType::kUnsubscribed:
      return via_small(decode_channel_only(frame), encode_unsubscribed);
    case FrameType::kPublish:
      return via(decode_publish(frame));
    case FrameType::kPublished:
      return via_small(decode_sequence_only(frame), encode_published);
    case FrameType::kError:
      return via(decode_error(frame));
    case FrameType::kMessage:
      return via(decode_message(frame));
    case FrameType::kGap:
      return via(decode_gap(frame));
    case FrameType::kBrokerState:
      return via(decode_broker_state(frame));
    case FrameType::kPing:
      return via_small(decode_sequence_only(frame), encode_ping);
    case FrameType::kPong:
      return via_small(decode_sequence_only(frame), encode_pong);
    case FrameType::kGoodbye:
      return via(decode_goodbye(frame));
    case FrameType::kStatus:
      return via(decode_status(frame));
    case FrameType::kStatusReply:
      return via(decode_status_reply(frame));
    case FrameType::kGatewayInfo:
      return via(decode_gateway_info(frame));
    case FrameType::kDrainMark:
      return via(decode_drain_mark(frame));
    case FrameType::kControl:
      return via(decode_control(frame));
    case FrameType::kControlled:
      return via_small(decode_sequence_only(frame), encode_controlled);
    case FrameType::kHistory:
      return via(decode_history(frame));
    case FrameType::kHistoryItem:
      return via(decode_history_item(frame));
    case FrameType::kHistoryEnd:
      return via(decode_history_end(frame));
    case FrameType::kPresenceSet:
      return via(decode_presence_set(frame));
    case FrameType::kPresenceClear:
      return via(decode_presence_clear(frame));
    case FrameType::kPresenceSynced: {
      std::string out;
      encode_presence_synced(out);  // a later release's body means nothing to us
      return out;
    }
    case FrameType::kPresence:
      return via(decode_presence(frame));
    case FrameType::kPresenceItem:
      return via(decode_presence_item(frame));
    case FrameType::kPresenceEnd:
      return via(decode_presence_end(frame));
    default:
      break;
  }
  return fail(ErrorCode::kInvalid, "no such type");
}

}  // namespace sluice::proto
