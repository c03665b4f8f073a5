#include "gateway/protocols/centrifuge_permissions.h"

namespace sluice::gateway {
namespace {

[[nodiscard]] bool offered(Offer offer, bool wished, std::optional<bool> forced) {
  if (forced) return *forced || (wished && offer != Offer::kOff);
  return offer == Offer::kForced || (wished && offer == Offer::kOnDemand);
}

}  // namespace

SubscribeVerdict may_subscribe(const ChannelRules& rules, std::string_view channel,
                               const Asker& asker) {
  if (rules.subscribe == Who::kNobody || is_private_channel(channel))
    return SubscribeVerdict::kDenied;
  if (rules.user_limited && is_user_limited(channel))
    return lists_user(channel, asker.user) ? SubscribeVerdict::kAllowed : SubscribeVerdict::kDenied;
  if (rules.subscribe_hook) return SubscribeVerdict::kAskHook;
  const bool allowed =
      rules.subscribe == Who::kEveryone || (rules.subscribe == Who::kUsers && !asker.user.empty());
  return allowed ? SubscribeVerdict::kAllowed : SubscribeVerdict::kDenied;
}

bool may_subscribe_with_token(const ChannelRules& rules) {
  return rules.subscribe != Who::kNobody;
}

bool is_among(Who who, const Asker& asker) {
  switch (who) {
    case Who::kNobody:
    case Who::kToken:
      return false;
    case Who::kSubscribers:
      return asker.subscribed;
    case Who::kUsers:
      return !asker.user.empty();
    case Who::kEveryone:
      return true;
  }
  return false;
}

SubscriptionKind subscription_kind(const ChannelRules& rules, const SubscribeWishes& wishes,
                                   const TokenOverride& override) {
  SubscriptionKind kind;
  kind.recoverable = offered(rules.recovery, wishes.recoverable, override.force_recovery);
  kind.positioned =
      kind.recoverable || offered(rules.positioning, wishes.positioned, override.force_positioning);
  kind.presence = override.presence.value_or(rules.presence_on);
  kind.announced = override.join_leave.value_or(rules.join_leave != Offer::kOff);
  kind.members = kind.announced && (override.force_push_join_leave.value_or(false) ||
                                    rules.join_leave == Offer::kForced || wishes.join_leave);
  return kind;
}

}  // namespace sluice::gateway
