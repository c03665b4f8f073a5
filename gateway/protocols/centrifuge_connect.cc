// connect: who the client is, by token, hook or as nobody, and the subscriptions that it has from
// the beginning.
#include <algorithm>
#include <utility>

#include "common/log.h"
#include "gateway/protocols/centrifuge_client.h"
#include "gateway/protocols/centrifuge_limits.h"
#include "proto/names.h"

namespace sluice::gateway {

void CentrifugeClient::connect(const Command& command) {
  state_.stage = ClientStage::kConnecting;
  state_.work().connect = command.SerializeAsString();
  changed_ = true;
  const Rules& rules = service_.rules();
  // With open access a token counts where somebody can judge it; nobody needs one.
  const bool judged = service_.tokens().has_keys() || !rules.is_open_access();
  if (!command.connect().token().empty() && judged) return connect_by_token(command);
  if (rules.connection().connect_hook) {
    if (service_.hooks(HookKind::kConnect) == nullptr)
      return close(CloseCode::kServerError, "internal error");
    return ask_hook(HookKind::kConnect, command, connect_body(subject(), command.connect()));
  }
  if (!rules.connection().anonymous) return refuse(command.id(), CentrifugeError::kUnauthorized);
  admit(command, {});
}

void CentrifugeClient::connect_by_token(const Command& command) {
  auto claims = service_.tokens().connection(command.connect().token(), service_.unix_now());
  if (!claims) {
    ++service_.counters().tokens_refused;
    log_debug("client {}: connection token refused: {}", id_, claims.error().reason);
    if (claims.error().fault == TokenFault::kExpired)
      return refuse(command.id(), CentrifugeError::kTokenExpired);
    return close(CloseCode::kInvalidToken, "invalid token");
  }
  if (is_past(claims->expires_at)) return refuse(command.id(), CentrifugeError::kExpired);
  Admission admission;
  admission.user = std::move(claims->user);
  admission.conn_info = std::move(claims->info);
  admission.meta = std::move(claims->meta);
  admission.expires_at = claims->expires_at;
  admission.subscriptions = std::move(claims->subscriptions);
  admission.by_token = true;
  admit(command, std::move(admission));
}

bool CentrifugeClient::within_bounds(const Admission& admission) const {
  return admission.user.size() <= proto::kUserBytesMax &&
         admission.conn_info.size() <= kConnInfoBytesMax &&
         admission.meta.size() <= kMetaInfoBytesMax &&
         admission.data.size() <= service_.options().answer_bytes_max;
}

void CentrifugeClient::admit(const Command& command, Admission admission) {
  const ConnectionRules& rules = service_.rules().connection();
  if (!within_bounds(admission)) return refuse(command.id(), CentrifugeError::kLimitExceeded);
  if (admission.subscriptions.size() > rules.channels_max)
    return close(CloseCode::kChannelLimit, "channel limit");
  const auto* user = service_.user_names().find(admission.user);
  if (rules.connections_per_user_max > 0 && user != nullptr &&
      user->extra.size() >= rules.connections_per_user_max)
    return close(CloseCode::kConnectionLimit, "connection limit");

  service_.add_user(state_, session_, admission.user);
  state_.expires_at = state_.refresh_at = admission.expires_at;
  state_.has_token = admission.by_token;
  state_.server_refresh = admission.by_hook && rules.refresh_hook;
  if (!admission.conn_info.empty()) state_.details().conn_info = admission.conn_info;
  if (!admission.meta.empty()) state_.details().meta = admission.meta;
  auto welcome = std::make_unique<centrifuge::Reply>();
  welcome->set_id(command.id());
  welcome->mutable_connect()->set_data(admission.data);
  state_.work().welcome = std::move(welcome);
  join_server_side(command.connect(), admission);
  if (open()) connect_if_joined();
}

void CentrifugeClient::join_server_side(const centrifuge::ConnectRequest& request,
                                        const Admission& admission) {
  for (const auto& [channel, wanted] : admission.subscriptions) {
    if (state_.stage != ClientStage::kConnecting || !open()) return;
    const std::uint32_t id = state_.work().welcome->id();
    if (!proto::is_public_name(channel)) return refuse(id, CentrifugeError::kBadRequest);
    const ChannelRules* rules = service_.rules().find(channel);
    if (rules == nullptr) return refuse(id, CentrifugeError::kUnknownChannel);
    if (wanted.info.size() > kChanInfoBytesMax ||
        wanted.data.size() > service_.options().answer_bytes_max)
      return refuse(id, CentrifugeError::kLimitExceeded);
    JoinPlan plan;
    plan.channel = channel;
    plan.origin = JoinOrigin::kConnect;
    plan.info = wanted.info;
    plan.data = wanted.data;
    plan.recover_max = std::min(rules->recover_max, kHistoryLimitMax);
    SubscribeWishes wishes;
    const auto earlier = request.subs().find(channel);
    const bool recover = earlier != request.subs().end() && earlier->second.recover();
    if (recover) wishes.recoverable = true;
    plan.kind = subscription_kind(*rules, wishes, wanted.override);
    if (recover && plan.kind.recoverable)
      plan.since = said_position(earlier->second.epoch(), earlier->second.offset());
    if (!start_join(std::move(plan))) return close(CloseCode::kServerError, "internal error");
  }
}

void CentrifugeClient::connect_if_joined() {
  if (state_.stage != ClientStage::kConnecting) return;
  CentrifugeWork& work = state_.work();
  if (!work.joins.empty() || !work.welcome) return;
  const CentrifugeOptions& options = service_.options();
  centrifuge::ConnectResult& result = *work.welcome->mutable_connect();
  result.set_client(id_);
  result.set_version(options.version);
  if (state_.has_token && state_.expires_at > 0) {
    const std::int64_t left = state_.expires_at - service_.unix_now();
    result.set_expires(true);
    result.set_ttl(static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 1, UINT32_MAX)));
  }
  if (!state_.frame_pings) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.ping_interval).count();
    result.set_ping(static_cast<std::uint32_t>(seconds));
    result.set_pong(true);
    // Clients that came together are not pinged together.
    const auto half = static_cast<std::uint64_t>(options.ping_interval.count()) / 2;
    state_.ping_at = service_.now() + Duration(half + service_.random().below(half + 1));
  }
  reply(*work.welcome);
  work.welcome.reset();
  work.connect = {};
  state_.stage = ClientStage::kConnected;
  changed_ = true;
  ++service_.counters().connected;
  run_waiting();
}

void CentrifugeClient::refuse(std::uint32_t id, CentrifugeError error) {
  fail(id, error);
  became_refused();
}

void CentrifugeClient::refuse(std::uint32_t id, std::uint32_t code, std::string message,
                              bool temporary) {
  fail(id, code, std::move(message), temporary);
  became_refused();
}

void CentrifugeClient::became_refused() {
  while (!state_.subscriptions.empty()) drop(state_.subscriptions.back().channel->name());
  service_.remove_user(state_, session_);
  state_.in_progress.reset();
  state_.stage = ClientStage::kRefused;
  changed_ = true;
}

}  // namespace sluice::gateway
