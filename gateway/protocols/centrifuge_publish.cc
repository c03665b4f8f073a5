// publish and rpc.
#include <algorithm>
#include <utility>

#include "gateway/protocols/centrifuge_client.h"
#include "gateway/protocols/centrifuge_limits.h"
#include "proto/names.h"

namespace sluice::gateway {
namespace {

[[nodiscard]] CentrifugeError error_of(proto::ErrorReason reason) {
  // Of unknown fate: the client may try again, and knows that it may come twice.
  return reason == proto::ErrorReason::kTooLarge ? CentrifugeError::kLimitExceeded
                                                 : CentrifugeError::kInternal;
}

}  // namespace

void CentrifugeClient::publish(const Command& command) {
  const centrifuge::PublishRequest& request = command.publish();
  const std::string& channel = request.channel();
  if (channel.empty()) return close(CloseCode::kBadRequest, "bad request");
  if (!proto::is_public_name(channel) || request.data().empty())
    return fail(command.id(), CentrifugeError::kBadRequest);
  const ChannelRules* rules = service_.rules().find(channel);
  if (rules == nullptr) return fail(command.id(), CentrifugeError::kUnknownChannel);
  if (!is_among(rules->publish, {state_.user_name(), find(channel) != nullptr}))
    return fail(command.id(), CentrifugeError::kPermissionDenied);
  if (rules->message_bytes_max > 0 && request.data().size() > rules->message_bytes_max)
    return fail(command.id(), CentrifugeError::kLimitExceeded);
  if (!within_rate(channel, *rules) || too_many_requests())
    return fail(command.id(), CentrifugeError::kTooManyRequests);
  if (rules->publish_hook) {
    if (service_.hooks(HookKind::kPublish) == nullptr)
      return fail(command.id(), CentrifugeError::kInternal);
    return ask_hook(HookKind::kPublish, command, publish_body(subject(), request));
  }
  publish_allowed(command.id(), channel, request.data(), *rules);
}

bool CentrifugeClient::within_rate(const std::string& channel, const ChannelRules& rules) {
  if (!rules.publish_rate.limited()) return true;
  auto& rates = state_.details().rates;
  const std::string_view space = namespace_of(channel);
  auto found = std::find_if(rates.begin(), rates.end(),
                            [space](const auto& one) { return one.first == space; });
  if (found == rates.end()) {
    // Names of rules, so few; those of rules that are gone make room.
    if (rates.size() >= kRateBucketsMax) rates.erase(rates.begin());
    rates.emplace_back(space, TokenBucket());
    found = rates.end() - 1;
  }
  return found->second.take(rules.publish_rate, service_.now());
}

std::string CentrifugeClient::meta_of(const std::string& channel, const ChannelRules& rules) {
  if (!rules.publisher_info && rules.history_size == 0) return {};
  envelope::MessageMeta meta;
  *meta.mutable_publisher() = who(find(channel));
  meta.set_time_ms(service_.unix_ms());
  return meta.SerializeAsString();
}

void CentrifugeClient::publish_allowed(std::uint32_t id, const std::string& channel,
                                       const std::string& data, const ChannelRules& rules) {
  const std::string meta = meta_of(channel, rules);
  const Ticket ticket = state_.next_ticket();
  // First, for it may fail inside the call.
  begin({.ticket = ticket,
         .kind = RequestKind::kPublish,
         .command = id,
         .channel = {},
         .query = {},
         .any_epoch = true});
  if (!actions_.publish(session_, {.channel = channel,
                                   .payload = proto::as_bytes(data),
                                   .meta = proto::as_bytes(meta),
                                   .ticket = ticket}) &&
      take_request(ticket))
    fail(id, CentrifugeError::kInternal);
}

void CentrifugeClient::published(Ticket ticket) {
  const auto request = take_request(ticket);
  if (!request) return;
  centrifuge::Reply said;
  said.set_id(request->command);
  static_cast<void>(said.mutable_publish());
  reply(said);
}

void CentrifugeClient::publish_failed(const PublishFailure& failure) {
  const auto request = take_request(failure.ticket);
  if (request) fail(request->command, error_of(failure.reason));
}

void CentrifugeClient::rpc(const Command& command) {
  if (!service_.rules().connection().rpc_hook || service_.hooks(HookKind::kRpc) == nullptr)
    return fail(command.id(), CentrifugeError::kNotAvailable);
  ask_hook(HookKind::kRpc, command, rpc_body(subject(), command.rpc()));
}

}  // namespace sluice::gateway
