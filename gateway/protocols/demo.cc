#include "gateway/protocols/demo.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/utf8.h"
#include "gateway/protocols/plain_access.h"
#include "proto/epoch.h"

namespace sluice::gateway {
namespace {

using Json = nlohmann::ordered_json;

[[nodiscard]] std::string to_text(const Json& json) {
  // `replace`, so that dump() never throws; what comes here was checked to be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

[[nodiscard]] FrameRef to_frame(const Json& json) {
  return FrameRun::make(Opcode::kText, to_text(json), {});
}

/// The front of a valid text, cut between two characters.
[[nodiscard]] std::string_view cut_text(std::string_view text) {
  if (text.size() <= kDemoTextBytesMax) return text;
  std::size_t end = kDemoTextBytesMax;
  while ((static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

[[nodiscard]] FrameRef publish_failed_frame(std::string_view reason) {
  return to_frame({{"type", "publish_failed"}, {"reason", reason}});
}

}  // namespace

DemoProtocol::DemoProtocol(DemoOptions options) : options_(std::move(options)) {
}

EncodedMessage DemoProtocol::encode(const ChannelMessage& message, std::string& scratch) const {
  Json json = {{"type", "message"},
               {"epoch", proto::epoch_text(message.position.epoch)},
               {"offset", message.position.offset},
               {"bytes", message.payload.size()}};
  if (valid_utf8(message.payload)) json["text"] = cut_text(proto::as_text(message.payload));
  scratch = to_text(json);
  return {Opcode::kText, scratch, {}};
}

void DemoProtocol::opened(ClientSession& session, const UpgradeRequest& request,
                          ProtocolActions& actions) const {
  if (!actions.subscribe(session, request.channel)) {
    actions.close(session, CloseCode::kTryAgainLater, "too many channels");
    return;
  }
  actions.deliver(session, to_frame({{"type", "welcome"},
                                     {"gateway", options_.gateway_id},
                                     {"version", options_.version},
                                     {"draining", options_.draining()},
                                     {"channel", request.channel},
                                     {"connection", to_string(session.state.id)}}));
}

void DemoProtocol::received(ClientSession& session, proto::Bytes payload, bool /*text*/,
                            ProtocolActions& actions) const {
  const std::string_view channel = actions.first_channel(session);
  if (const char* reason = objection(session, channel, payload.size())) {
    actions.deliver(session, publish_failed_frame(reason));
    return;
  }
  if (!actions.publish(session, {.channel = channel, .payload = payload, .ticket = kAnyTicket})) {
    actions.deliver(session,
                    publish_failed_frame(proto::to_string(proto::ErrorReason::kQueueFull)));
  }
}

const char* DemoProtocol::objection(ClientSession& session, std::string_view channel,
                                    std::size_t bytes) const {
  if (options_.rules == nullptr) return nullptr;
  switch (
      judge_plain_publish(options_.rules->now(), session, channel, bytes, options_.time->now())) {
    case PlainVerdict::kAllowed:
      break;
    case PlainVerdict::kNotAllowed:
      return "not allowed";
    case PlainVerdict::kTooLarge:
      return "too large";
    case PlainVerdict::kTooMany:
      return "too many";
  }
  return nullptr;
}

void DemoProtocol::due(ClientSession& /*session*/, ProtocolActions& /*actions*/) const {
  // The welcome has said it; no greeting is ever made due.
}

void DemoProtocol::publish_failed(ClientSession& session, const PublishFailure& failure,
                                  ProtocolActions& actions) const {
  actions.deliver(session, publish_failed_frame(proto::to_string(failure.reason)));
}

void DemoProtocol::gap(ClientSession& session, const ChannelGap& gap,
                       ProtocolActions& actions) const {
  Json json = {{"type", "gap"},
               {"cause", gap.cause},
               {"count", nullptr},
               {"duration_ms", gap.duration_ms},
               {"epoch", proto::epoch_text(gap.position.epoch)},
               {"offset", gap.position.offset}};
  if (gap.count != proto::kCountUnknown) json["count"] = gap.count;
  actions.deliver(session, to_frame(json));
}

}  // namespace sluice::gateway
