// What rules (common/rules) allow a Centrifuge client, and what its subscriptions are like. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "common/rules/rules.h"
#include "common/tokens/tokens.h"
#include "gateway/protocols/centrifuge_codes.h"

namespace sluice::gateway {

/// Who asks.
struct Asker {
  std::string_view user;    ///< empty: anonymous
  bool subscribed = false;  ///< to the channel in question
};

enum class SubscribeVerdict {
  kAllowed,
  kAskHook,  ///< the application decides
  kDenied,
};
/// Without a subscription token.
[[nodiscard]] SubscribeVerdict may_subscribe(const ChannelRules& rules, std::string_view channel,
                                             const Asker& asker);
/// With one, or with the hook's word.
[[nodiscard]] bool may_subscribe_with_token(const ChannelRules& rules);
/// Publish, presence, history.
[[nodiscard]] bool is_among(Who who, const Asker& asker);

/// What a client wants of its subscription.
struct SubscribeWishes {
  bool positioned = false;
  bool recoverable = false;
  bool join_leave = false;
};
/// What it is like.
struct SubscriptionKind {
  bool positioned = false;   ///< a gap ends it
  bool recoverable = false;  ///< implies positioned
  bool presence = false;     ///< who is there is kept
  bool announced = false;    ///< others hear of its joining and leaving
  bool members = false;      ///< it hears of others' joining and leaving
};
[[nodiscard]] SubscriptionKind subscription_kind(const ChannelRules& rules,
                                                 const SubscribeWishes& wishes,
                                                 const TokenOverride& override);

}  // namespace sluice::gateway
