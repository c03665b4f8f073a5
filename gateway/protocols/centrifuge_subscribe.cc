// subscribe and unsubscribe, and what ends a subscription. A client has a channel from start_join()
// on, its publications from joined() on, behind the reply that says so.
#include <algorithm>
#include <utility>

#include "common/log.h"
#include "gateway/protocols/centrifuge_client.h"
#include "gateway/protocols/centrifuge_limits.h"
#include "proto/names.h"

namespace sluice::gateway {
namespace {

/// Of SubscribeRequest::flag: no subscription rather than one with a hole.
constexpr std::int64_t kRejectUnrecovered = 2;

}  // namespace

CentrifugeSubscription* CentrifugeClient::find(std::string_view channel) {
  return state_.find(service_.channels(), channel);
}

// ---- the command

void CentrifugeClient::subscribe(const Command& command) {
  const centrifuge::SubscribeRequest& request = command.subscribe();
  const std::string& channel = request.channel();
  if (channel.empty()) return close(CloseCode::kBadRequest, "bad request");
  // A filter that is passed over would deliver what the client does not want.
  if (!proto::is_public_name(channel) || request.has_tf() || request.type() != 0)
    return fail(command.id(), CentrifugeError::kBadRequest);
  const ChannelRules* rules = service_.rules().find(channel);
  if (rules == nullptr) return fail(command.id(), CentrifugeError::kUnknownChannel);
  if (find(channel) != nullptr) return fail(command.id(), CentrifugeError::kAlreadySubscribed);
  const bool judged = service_.tokens().has_keys() || !service_.rules().is_open_access();
  if (!request.token().empty() && judged) return subscribe_by_token(command, *rules);
  switch (may_subscribe(*rules, channel, {state_.user_name(), false})) {
    case SubscribeVerdict::kDenied:
      return fail(command.id(), CentrifugeError::kPermissionDenied);
    case SubscribeVerdict::kAskHook:
      if (service_.hooks(HookKind::kSubscribe) == nullptr)
        return fail(command.id(), CentrifugeError::kInternal);
      return ask_hook(HookKind::kSubscribe, command, subscribe_body(subject(), request));
    case SubscribeVerdict::kAllowed:
      return subscribe_allowed(command, *rules, {}, {});
  }
}

void CentrifugeClient::subscribe_by_token(const Command& command, const ChannelRules& rules) {
  const centrifuge::SubscribeRequest& request = command.subscribe();
  auto claims = service_.tokens().subscription(request.token(), service_.unix_now());
  if (!claims) {
    ++service_.counters().tokens_refused;
    log_debug("client {}: subscription token refused: {}", id_, claims.error().reason);
    return fail(command.id(), claims.error().fault == TokenFault::kExpired
                                  ? CentrifugeError::kTokenExpired
                                  : CentrifugeError::kPermissionDenied);
  }
  if (claims->channel != request.channel() || claims->user != state_.user_name() ||
      !may_subscribe_with_token(rules))
    return fail(command.id(), CentrifugeError::kPermissionDenied);
  if (is_past(claims->expires_at)) return fail(command.id(), CentrifugeError::kExpired);
  JoinPlan plan;
  plan.expires_at = claims->expires_at;
  plan.client_refreshes = true;
  plan.info = std::move(claims->info);
  subscribe_allowed(command, rules, std::move(plan), claims->override);
}

void CentrifugeClient::subscribe_allowed(const Command& command, const ChannelRules& rules,
                                         JoinPlan plan, const TokenOverride& override) {
  const centrifuge::SubscribeRequest& request = command.subscribe();
  // Here, and not before the application was asked: the server API may have added some meanwhile.
  if (state_.subscriptions.size() >= service_.rules().connection().channels_max)
    return fail(command.id(), CentrifugeError::kLimitExceeded);
  if (plan.info.size() > kChanInfoBytesMax ||
      plan.data.size() > service_.options().answer_bytes_max)
    return fail(command.id(), CentrifugeError::kLimitExceeded);
  const SubscribeWishes wishes{.positioned = request.positioned(),
                               .recoverable = request.recoverable() || request.recover(),
                               .join_leave = request.join_leave()};
  plan.channel = request.channel();
  plan.kind = subscription_kind(rules, wishes, override);
  plan.origin = JoinOrigin::kCommand;
  plan.command = command.id();
  plan.recover_max = std::min(rules.recover_max, kHistoryLimitMax);
  plan.only_recovered = (request.flag() & kRejectUnrecovered) != 0;
  if (request.recover() && plan.kind.recoverable)
    plan.since = said_position(request.epoch(), request.offset());
  // Another gateway may have room.
  if (!start_join(std::move(plan))) fail(command.id(), CentrifugeError::kInternal);
}

bool CentrifugeClient::start_join(JoinPlan plan) {
  CentrifugeSubscription one;
  one.channel = service_.channels().hold(plan.channel);
  one.expires_at = plan.expires_at;
  if (!plan.info.empty()) one.info = std::make_unique<std::string>(std::move(plan.info));
  one.joining = true;
  one.server_side = plan.origin != JoinOrigin::kCommand;
  one.positioned = plan.kind.positioned;
  one.recoverable = plan.kind.recoverable;
  one.presence = plan.kind.presence;
  one.announced = plan.kind.announced;
  one.members = plan.kind.members;

  JoinInProgress join;
  join.ticket = state_.next_ticket();
  join.channel = one.channel;
  join.origin = plan.origin;
  join.command = plan.command;
  join.since = plan.since;
  join.recover_max = plan.recover_max;
  join.only_recovered = plan.only_recovered;
  join.data = std::move(plan.data);
  if (plan.client_refreshes && plan.expires_at > 0) {
    const std::int64_t left = plan.expires_at - service_.unix_now();
    join.ttl = static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 1, UINT32_MAX));
  }
  if (!ask_for(join)) return false;
  state_.may_expire = state_.may_expire || one.expires_at > 0;
  state_.subscriptions.push_back(std::move(one));
  state_.work().joins.push_back(std::move(join));
  changed_ = true;
  return true;
}

bool CentrifugeClient::ask_for(const JoinInProgress& join) {
  return actions_.join(session_, {.channel = join.channel->name(),
                                  .ticket = join.ticket,
                                  .since = join.since,
                                  .recover_max = join.recover_max});
}

std::optional<JoinInProgress> CentrifugeClient::take_join(Ticket ticket) {
  if (!state_.in_progress) return std::nullopt;
  auto& joins = state_.in_progress->joins;
  const auto found = std::find_if(joins.begin(), joins.end(),
                                  [ticket](const auto& one) { return one.ticket == ticket; });
  if (found == joins.end()) return std::nullopt;
  JoinInProgress join = std::move(*found);
  joins.erase(found);
  return join;
}

// ---- the answer

void CentrifugeClient::joined(Ticket ticket, const Joined& joined) {
  auto join = take_join(ticket);
  if (!join) return;
  changed_ = true;
  CentrifugeSubscription* subscription = find(join->channel->name());
  subscription->joining = false;
  ++join->channel->extra.clients;
  if (!open()) {
    // Nobody has heard of it, so nobody hears of its end.
    subscription->presence = subscription->announced = subscription->members = false;
    return;
  }
  if (subscription->members &&
      !actions_.subscribe(session_, proto::members_channel(join->channel->name()))) {
    subscription->members = false;
    return join_failed(*join, CentrifugeError::kInternal);
  }
  centrifuge::SubscribeResult result;
  if (!fill(result, *join, *subscription, joined))
    return join_failed(*join, CentrifugeError::kUnrecoverable);
  ++service_.counters().subscribed;
  // Before the reply: who asks upon it who is there finds this one; and a command that has waited
  // for the reply may end the subscription again.
  set_presence(*subscription);
  announce(*subscription, true);
  tell_joined(*join, std::move(result));
  run_waiting();
}

bool CentrifugeClient::fill(centrifuge::SubscribeResult& result, const JoinInProgress& join,
                            const CentrifugeSubscription& subscription, const Joined& joined) {
  if (join.ttl > 0) {
    result.set_expires(true);
    result.set_ttl(join.ttl);
  }
  result.set_data(join.data);
  if (!subscription.positioned) return true;
  result.set_positioned(true);
  result.set_recoverable(subscription.recoverable);
  result.set_epoch(epoch_text(joined.position.epoch));
  result.set_offset(joined.position.offset);
  if (!join.since) return true;

  ++service_.counters().recoveries;
  result.set_was_recovering(true);
  std::size_t room = service_.options().answer_bytes_max;
  // One reply has the publications of all channels that come with the connection.
  if (join.origin == JoinOrigin::kConnect)
    room -= std::min(room, state_.work().welcome->ByteSizeLong());
  if (joined.recovered && fill_recovered(result, joined.publications, room)) {
    result.set_recovered(true);
    // The client comes to the top by way of the publications.
    result.set_offset(join.since->offset);
    service_.counters().recovered_publications += joined.publications.size();
    return true;
  }
  ++service_.counters().recoveries_failed;
  return !join.only_recovered;
}

bool CentrifugeClient::fill_recovered(centrifuge::SubscribeResult& result,
                                      std::span<const PublicationView> publications,
                                      std::size_t room) {
  std::size_t bytes = 0;
  for (const PublicationView& one : publications) bytes += one.payload.size() + one.meta.size();
  if (bytes > room) return false;
  for (const PublicationView& one : publications)
    state_.codec->fill(*result.add_publications(), one.offset, one.payload, one.meta);
  return true;
}

void CentrifugeClient::tell_joined(const JoinInProgress& join,
                                   centrifuge::SubscribeResult&& result) {
  if (join.origin == JoinOrigin::kPush) return push_joined(join, result);
  if (join.origin == JoinOrigin::kConnect) {
    auto& subs = *state_.work().welcome->mutable_connect()->mutable_subs();
    subs[join.channel->name()] = std::move(result);
    return connect_if_joined();
  }
  centrifuge::Reply said;
  said.set_id(join.command);
  *said.mutable_subscribe() = std::move(result);
  reply(said);
}

void CentrifugeClient::push_joined(const JoinInProgress& join,
                                   const centrifuge::SubscribeResult& result) {
  centrifuge::Reply said;
  centrifuge::Push& push = *said.mutable_push();
  push.set_channel(join.channel->name());
  push.mutable_subscribe()->set_recoverable(result.recoverable());
  push.mutable_subscribe()->set_positioned(result.positioned());
  push.mutable_subscribe()->set_epoch(result.epoch());
  push.mutable_subscribe()->set_offset(result.offset());
  push.mutable_subscribe()->set_data(result.data());
  reply(said);
  // This push has no place for them.
  for (const centrifuge::Publication& publication : result.publications()) {
    *push.mutable_pub() = publication;
    push.clear_subscribe();
    reply(said);
  }
}

void CentrifugeClient::join_failed(const JoinInProgress& join, CentrifugeError error) {
  if (CentrifugeSubscription* subscription = find(join.channel->name()))
    subscription->presence = subscription->announced = false;  // not yet
  drop(join.channel->name());
  if (!open()) return;
  if (join.origin == JoinOrigin::kCommand) fail(join.command, error);
  // Without one of its subscriptions it is not the client that was let in.
  if (join.origin == JoinOrigin::kConnect) return close(CloseCode::kServerError, "internal error");
  run_waiting();
}

// ---- the end

void CentrifugeClient::unsubscribe(const Command& command) {
  const std::string& channel = command.unsubscribe().channel();
  if (channel.empty()) return close(CloseCode::kBadRequest, "bad request");
  drop(channel);
  centrifuge::Reply said;
  said.set_id(command.id());
  static_cast<void>(said.mutable_unsubscribe());
  reply(said);
}

void CentrifugeClient::drop(std::string_view channel) {
  CentrifugeSubscription* found = find(channel);
  if (found == nullptr) return;
  const CentrifugeSubscription gone = std::move(*found);
  if (found != &state_.subscriptions.back()) *found = std::move(state_.subscriptions.back());
  state_.subscriptions.pop_back();
  if (state_.in_progress)
    std::erase_if(state_.in_progress->joins,
                  [&](const JoinInProgress& join) { return join.channel == gone.channel; });
  changed_ = true;
  const std::string& name = gone.channel->name();
  // What was said so far comes before what is still due of the channel.
  output_.flush();
  if (!gone.joining && gone.presence) actions_.clear_presence(session_, name, id_);
  actions_.leave(session_, name);
  if (gone.joining) return;
  --gone.channel->extra.clients;
  if (gone.members) actions_.leave(session_, proto::members_channel(name));
  announce(gone, false);
}

void CentrifugeClient::push_unsubscribe(std::string_view channel, std::uint32_t code,
                                        const std::string& reason) {
  centrifuge::Reply said;
  said.mutable_push()->set_channel(std::string(channel));
  said.mutable_push()->mutable_unsubscribe()->set_code(code);
  said.mutable_push()->mutable_unsubscribe()->set_reason(reason);
  reply(said);
}

void CentrifugeClient::gap(const ChannelGap& gap) {
  const CentrifugeSubscription* subscription = find(gap.channel);
  if (subscription == nullptr || subscription->joining || !subscription->positioned) return;
  ++service_.counters().resubscribes_told;
  if (subscription->server_side) return close(CloseCode::kInsufficientState, "insufficient state");
  const std::string channel(gap.channel);
  drop(channel);
  push_unsubscribe(channel, static_cast<std::uint32_t>(UnsubscribeCode::kInsufficientState),
                   "insufficient state");
}

// ---- who is there

envelope::Client CentrifugeClient::who(const CentrifugeSubscription* subscription) const {
  envelope::Client client;
  client.set_user(state_.user_name());
  client.set_client(id_);
  client.set_conn_info(state_.conn_info());
  if (subscription != nullptr && subscription->info) client.set_chan_info(*subscription->info);
  return client;
}

void CentrifugeClient::set_presence(const CentrifugeSubscription& subscription) {
  if (!subscription.presence) return;
  const std::string info = who(&subscription).SerializeAsString();
  actions_.set_presence(session_, {.channel = subscription.channel->name(),
                                   .client = id_,
                                   .user = state_.user_name(),
                                   .info = proto::as_bytes(info)});
}

void CentrifugeClient::announce(const CentrifugeSubscription& subscription, bool joined) {
  if (!subscription.announced) return;
  envelope::Membership membership;
  membership.set_joined(joined);
  *membership.mutable_who() = who(&subscription);
  actions_.publish(proto::members_channel(subscription.channel->name()),
                   proto::as_bytes(membership.SerializeAsString()));
}

}  // namespace sluice::gateway
