#include "gateway/protocols/plain.h"

#include <utility>

#include "common/utf8.h"
#include "gateway/protocols/plain_access.h"

namespace sluice::gateway {

PlainProtocol::PlainProtocol(PlainOptions options, const TimeSource& time)
    : options_(std::move(options)), time_(time) {
  if (!options_.greeting.empty()) greeting_ = FrameRun::make(Opcode::kText, options_.greeting, {});
}

EncodedMessage PlainProtocol::encode(const ChannelMessage& message,
                                     std::string& /*scratch*/) const {
  // Redis payloads carry no opcode: what is valid UTF-8 goes out as text, the rest as it is.
  const Opcode opcode = valid_utf8(message.payload) ? Opcode::kText : Opcode::kBinary;
  return {opcode, options_.tag, message.payload};
}

void PlainProtocol::opened(ClientSession& session, const UpgradeRequest& request,
                           ProtocolActions& actions) const {
  if (!actions.subscribe(session, request.channel)) {
    actions.close(session, CloseCode::kTryAgainLater, "too many channels");
    return;
  }
  if (greeting_) session.state.due_at = time_.now() + options_.greeting_delay;
}

void PlainProtocol::received(ClientSession& session, proto::Bytes payload, bool /*text*/,
                             ProtocolActions& actions) const {
  const std::string_view channel = actions.first_channel(session);
  if (!may_publish(session, channel, payload.size(), actions)) return;
  if (!actions.publish(session, {.channel = channel, .payload = payload, .ticket = kAnyTicket})) {
    actions.close(session, CloseCode::kTryAgainLater, "publish queue full");
  }
}

bool PlainProtocol::may_publish(ClientSession& session, std::string_view channel, std::size_t bytes,
                                ProtocolActions& actions) const {
  if (options_.rules == nullptr) return true;
  switch (judge_plain_publish(options_.rules->now(), session, channel, bytes, time_.now())) {
    case PlainVerdict::kAllowed:
      return true;
    case PlainVerdict::kNotAllowed:
      actions.close_as(session, CloseCode::kPolicy, "publishing is not allowed here",
                       CloseReason::kNotAllowed);
      break;
    case PlainVerdict::kTooLarge:
      actions.close(session, CloseCode::kTooBig, "message too large for this channel");
      break;
    case PlainVerdict::kTooMany:
      actions.close_as(session, CloseCode::kPolicy, "too many messages", CloseReason::kRateLimited);
      break;
  }
  return false;
}

void PlainProtocol::due(ClientSession& session, ProtocolActions& actions) const {
  ++greetings_;
  actions.deliver(session, greeting_);
}

void PlainProtocol::publish_failed(ClientSession& session, const PublishFailure& failure,
                                   ProtocolActions& actions) const {
  // Nobody knows whether the others got it; closing would tell the client it was lost.
  if (failure.reason == proto::ErrorReason::kUnknownFate) return;
  actions.close(session, CloseCode::kTryAgainLater, "message could not be published");
}

void PlainProtocol::gap(ClientSession& session, const ChannelGap& /*gap*/,
                        ProtocolActions& actions) const {
  if (options_.on_gap == OnGap::kClose)
    actions.close(session, CloseCode::kServiceRestart, "messages missed");
}

}  // namespace sluice::gateway
