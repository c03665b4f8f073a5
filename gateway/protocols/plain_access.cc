#include "gateway/protocols/plain_access.h"

#include <memory>

namespace sluice::gateway {
namespace {

/// Only of clients that publish where there is a rate. It does not outlive the process: a new
/// bucket is a full one.
struct PlainState final : ProtocolState {
  TokenBucket publishes;
};

/// Null: the channel is none for plain clients.
const ChannelRules* open_to_plain(const Rules& rules, std::string_view channel) {
  const ChannelRules* found = rules.find(channel);
  if (found == nullptr || rules.is_open_access()) return found;
  const bool is_open = found->plain_clients && rules.connection().anonymous &&
                       !is_private_channel(channel) &&
                       !(found->user_limited && is_user_limited(channel));
  return is_open ? found : nullptr;
}

bool within_rate(ClientSession& session, const TokenRate& rate, TimePoint now) {
  if (!rate.limited()) return true;
  if (session.state.protocol == nullptr) session.state.protocol = std::make_unique<PlainState>();
  return static_cast<PlainState&>(*session.state.protocol).publishes.take(rate, now);
}

}  // namespace

bool plain_may_subscribe(const Rules& rules, std::string_view channel) {
  const ChannelRules* found = open_to_plain(rules, channel);
  // An application that wants to be asked about each client is not passed over.
  return found != nullptr && found->subscribe == Who::kEveryone && !found->subscribe_hook;
}

PlainVerdict judge_plain_publish(const Rules& rules, ClientSession& session,
                                 std::string_view channel, std::size_t bytes, TimePoint now) {
  const ChannelRules* found = open_to_plain(rules, channel);
  // It is subscribed to the one channel that it has.
  if (found == nullptr || found->publish_hook ||
      (found->publish != Who::kEveryone && found->publish != Who::kSubscribers)) {
    return PlainVerdict::kNotAllowed;
  }
  if (found->message_bytes_max != 0 && bytes > found->message_bytes_max)
    return PlainVerdict::kTooLarge;
  return within_rate(session, found->publish_rate, now) ? PlainVerdict::kAllowed
                                                        : PlainVerdict::kTooMany;
}

}  // namespace sluice::gateway
