// The end of tokens: refresh and sub_refresh by the client, refresh by the application, and what
// happens to who does neither.
#include <algorithm>
#include <utility>
#include <vector>

#include "common/log.h"
#include "gateway/protocols/centrifuge_client.h"
#include "gateway/protocols/centrifuge_limits.h"
#include "proto/names.h"

namespace sluice::gateway {
namespace {

[[nodiscard]] std::uint32_t seconds_left(std::int64_t expires_at, std::int64_t now) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(expires_at - now, 1, UINT32_MAX));
}

}  // namespace

void CentrifugeClient::set_expiry(std::int64_t expires_at) {
  state_.expires_at = state_.refresh_at = expires_at;
  changed_ = true;
}

void CentrifugeClient::refresh(const Command& command) {
  if (state_.server_refresh || command.refresh().token().empty())
    return close(CloseCode::kBadRequest, "bad request");
  if (!service_.tokens().has_keys()) return fail(command.id(), CentrifugeError::kNotAvailable);
  auto claims = service_.tokens().connection(command.refresh().token(), service_.unix_now());
  if (!claims) {
    ++service_.counters().tokens_refused;
    log_debug("client {}: connection token refused: {}", id_, claims.error().reason);
    // It comes back with another.
    if (claims.error().fault == TokenFault::kExpired) return close(CloseCode::kExpired, "expired");
    return close(CloseCode::kInvalidToken, "invalid token");
  }
  if (claims->user != state_.user_name()) return close(CloseCode::kInvalidToken, "invalid token");
  if (is_past(claims->expires_at)) return close(CloseCode::kExpired, "expired");
  if (claims->info.size() > kConnInfoBytesMax || claims->meta.size() > kMetaInfoBytesMax)
    return fail(command.id(), CentrifugeError::kLimitExceeded);
  set_expiry(claims->expires_at);
  state_.has_token = true;
  if (state_.more || !claims->info.empty() || !claims->meta.empty()) {
    state_.details().conn_info = std::move(claims->info);
    state_.details().meta = std::move(claims->meta);
  }
  centrifuge::Reply said;
  said.set_id(command.id());
  centrifuge::RefreshResult& result = *said.mutable_refresh();
  result.set_client(id_);
  result.set_version(service_.options().version);
  if (claims->expires_at > 0) {
    result.set_expires(true);
    result.set_ttl(seconds_left(claims->expires_at, service_.unix_now()));
  }
  reply(said);
}

void CentrifugeClient::sub_refresh(const Command& command) {
  const centrifuge::SubRefreshRequest& request = command.sub_refresh();
  if (request.token().empty()) return fail(command.id(), CentrifugeError::kBadRequest);
  if (!service_.tokens().has_keys()) return fail(command.id(), CentrifugeError::kNotAvailable);
  auto claims = service_.tokens().subscription(request.token(), service_.unix_now());
  if (!claims) {
    ++service_.counters().tokens_refused;
    log_debug("client {}: subscription token refused: {}", id_, claims.error().reason);
    return fail(command.id(), claims.error().fault == TokenFault::kExpired
                                  ? CentrifugeError::kTokenExpired
                                  : CentrifugeError::kPermissionDenied);
  }
  // Some SDKs name no channel: the token does.
  const std::string& channel = request.channel().empty() ? claims->channel : request.channel();
  CentrifugeSubscription* subscription = find(channel);
  if (claims->channel != channel || claims->user != state_.user_name() || subscription == nullptr ||
      subscription->joining || subscription->server_side)
    return fail(command.id(), CentrifugeError::kPermissionDenied);
  if (is_past(claims->expires_at)) return fail(command.id(), CentrifugeError::kExpired);
  if (claims->info.size() > kChanInfoBytesMax)
    return fail(command.id(), CentrifugeError::kLimitExceeded);
  subscription->expires_at = claims->expires_at;
  state_.may_expire = state_.may_expire || claims->expires_at > 0;
  changed_ = true;
  const std::string info = subscription->info ? *subscription->info : std::string();
  if (claims->info != info) {
    subscription->info =
        claims->info.empty() ? nullptr : std::make_unique<std::string>(std::move(claims->info));
    set_presence(*subscription);
  }
  centrifuge::Reply said;
  said.set_id(command.id());
  centrifuge::SubRefreshResult& result = *said.mutable_sub_refresh();
  if (subscription->expires_at > 0) {
    result.set_expires(true);
    result.set_ttl(seconds_left(subscription->expires_at, service_.unix_now()));
  }
  reply(said);
}

// ---- time

void CentrifugeClient::expire_connection() {
  if (state_.expires_at == 0) return;
  const auto grace =
      std::chrono::duration_cast<std::chrono::seconds>(service_.options().expiry_grace).count();
  if (is_past(state_.expires_at + grace)) return close(CloseCode::kExpired, "expired");
  if (state_.server_refresh && is_past(state_.refresh_at)) ask_refresh();
}

void CentrifugeClient::expire_subscriptions() {
  if (!state_.may_expire) return;
  const auto grace =
      std::chrono::duration_cast<std::chrono::seconds>(service_.options().expiry_grace).count();
  std::vector<ChannelNames::Name> expired;
  for (const CentrifugeSubscription& one : state_.subscriptions) {
    if (one.joining || one.expires_at == 0 || !is_past(one.expires_at + grace)) continue;
    if (one.server_side) return close(CloseCode::kSubscriptionExpired, "subscription expired");
    expired.push_back(one.channel);
  }
  for (const ChannelNames::Name& channel : expired) {
    drop(channel->name());
    push_unsubscribe(channel->name(), static_cast<std::uint32_t>(UnsubscribeCode::kExpired),
                     "subscription expired");
  }
}

// ---- by the application

void CentrifugeClient::ask_refresh() {
  state_.refresh_at = service_.unix_now() + kRefreshRetrySeconds;
  if (state_.in_progress && state_.in_progress->refresh_hook != 0) return;
  HookCaller* hooks = service_.hooks(HookKind::kRefresh);
  if (hooks == nullptr) return;
  const Ticket ticket = state_.next_ticket();
  state_.work().refresh_hook = ticket;
  hooks->call(hook_request(HookKind::kRefresh, ticket, refresh_body(subject())));
}

void CentrifugeClient::refresh_answered(const HookAnswer& answer) {
  if (!state_.in_progress || state_.in_progress->refresh_hook != answer.ticket) return;
  state_.in_progress->refresh_hook = 0;
  HookRefresh said;
  const HookWord word =
      answer.fault == HookFault::kNone ? read_answer(answer.body, said) : HookWord{};
  if (word.kind == HookWord::Kind::kDisconnect) return close_by_application(word.code, word.text);
  // No answer: asked again, until the client's time is up.
  if (word.kind != HookWord::Kind::kResult) return;
  if (said.expired || is_past(said.expire_at)) return close(CloseCode::kExpired, "expired");
  set_expiry(said.expire_at);
  if (said.info && said.info->size() <= kConnInfoBytesMax)
    state_.details().conn_info = std::move(*said.info);
  if (said.meta && said.meta->size() <= kMetaInfoBytesMax)
    state_.details().meta = std::move(*said.meta);
}

}  // namespace sluice::gateway
