// What comes for clients from elsewhere: the control channel's commands, which the server API of
// any host has given, and the application's answers.
#include <algorithm>
#include <map>
#include <utility>

#include "gateway/limits.h"
#include "gateway/protocols/centrifuge_client.h"
#include "gateway/protocols/centrifuge_limits.h"
#include "proto/names.h"

namespace sluice::gateway {
namespace {

/// '*' is any run of bytes, '?' one byte; an empty pattern is for all. Never more than size × size
/// steps.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return true;
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

[[nodiscard]] std::optional<bool> setting(std::int32_t said) {
  if (said < 0) return std::nullopt;
  return said > 0;
}

}  // namespace

// ---- which clients

std::vector<ClientRef> CentrifugeService::matching(const envelope::ControlCommand::Who& who) const {
  std::vector<ClientRef> found;
  if (!who.client().empty()) {
    const auto id = client_id_of(who.client());
    const auto known = id ? by_id_.find(*id) : by_id_.end();
    if (known != by_id_.end()) found.push_back(known->second);
  } else if (who.has_user() && !who.user().empty()) {
    if (const auto* user = users_.find(who.user())) found = user->extra;
  } else if (who.has_user()) {
    for (const auto& [id, ref] : by_id_) found.push_back(ref);
  }
  return found;
}

template <typename Act>
void CentrifugeService::each(const envelope::ControlCommand::Who& who, Act&& act) {
  for (const ClientRef ref : matching(who)) {
    ClientSession* session = find(ref);
    if (session == nullptr || session->phase != SessionPhase::kOpen) continue;
    const CentrifugeState& state = CentrifugeClient::state_of(*session);
    if (state.stage != ClientStage::kConnected && state.stage != ClientStage::kConnecting) continue;
    if (who.has_user() && who.user() != state.user_name()) continue;
    const std::string id = uuid_of(session->state.id);
    if (std::find(who.except().begin(), who.except().end(), id) != who.except().end()) continue;
    CentrifugeClient client(*session, *this, actions_);
    act(client);
  }
}

// ---- commands

void CentrifugeService::apply(proto::Bytes control) {
  envelope::ControlCommand command;
  if (command.ParseFromArray(control.data(), static_cast<int>(control.size()))) apply(command);
}

void CentrifugeService::apply(const envelope::ControlCommand& command) {
  ++stats_.control_commands;
  switch (command.command_case()) {
    case envelope::ControlCommand::kDisconnect:
      return each(command.disconnect().who(), [&](CentrifugeClient& client) {
        client.disconnect_by_server(command.disconnect());
      });
    case envelope::ControlCommand::kUnsubscribe:
      return each(command.unsubscribe().who(), [&](CentrifugeClient& client) {
        client.unsubscribe_by_server(command.unsubscribe());
      });
    case envelope::ControlCommand::kSubscribe:
      return each(command.subscribe().who(), [&](CentrifugeClient& client) {
        client.subscribe_by_server(command.subscribe());
      });
    case envelope::ControlCommand::kRefresh:
      return each(command.refresh().who(),
                  [&](CentrifugeClient& client) { client.refresh_by_server(command.refresh()); });
    case envelope::ControlCommand::kSurvey:
      return survey(command.survey());
    case envelope::ControlCommand::COMMAND_NOT_SET:
      return;
  }
}

void CentrifugeService::hook_answered(const HookAnswer& answer) {
  ClientSession* session = find(answer.origin);
  if (session == nullptr) return;
  CentrifugeClient(*session, *this, actions_).hook_answered(answer);
}

void CentrifugeService::survey(const envelope::ControlCommand::Survey& survey) {
  if (!std::string_view(survey.reply_to()).starts_with(proto::kReplyPrefix) ||
      survey.reply_to().size() > proto::kChannelNameBytesMax)
    return;
  const std::uint32_t limit =
      survey.limit() == 0 ? kSurveyLimitMax : std::min(survey.limit(), kSurveyLimitMax);
  envelope::SurveyReply reply;
  reply.set_id(survey.id());
  reply.set_gateway(options_.gateway_id);
  std::size_t entries = 0;
  std::size_t bytes = 0;
  const auto room_for = [&](const std::string& name) {
    if (entries >= limit || bytes + name.size() > kSurveyBytesMax) {
      reply.set_cut(true);
      return false;
    }
    ++entries;
    bytes += name.size();
    return true;
  };
  if (survey.what() == envelope::ControlCommand::Survey::USERS) {
    users_.each([&](const auto& user) {
      if (matches(survey.pattern(), user.name()) && room_for(user.name()))
        reply.add_users(user.name());
    });
  } else {
    std::map<std::string, std::uint32_t> clients;
    channels_.each([&](const auto& channel) {
      if (channel.extra.clients > 0) clients[channel.name()] = channel.extra.clients;
    });
    // Clients of other protocols have one channel each.
    for (std::size_t slot = 0; slot < sessions_.slots(); ++slot) {
      const ClientSession* session = sessions_.at(slot);
      if (session == nullptr || find(session->ref) != nullptr) continue;
      const std::string_view name = actions_.first_channel(*session);
      if (proto::is_public_name(name)) ++clients[std::string(name)];
    }
    for (const auto& [name, count] : clients)
      if (matches(survey.pattern(), name) && room_for(name))
        (*reply.mutable_channels())[name] = count;
  }
  actions_.publish(survey.reply_to(), proto::as_bytes(reply.SerializeAsString()));
}

// ---- what they do to a client

void CentrifugeClient::disconnect_by_server(const envelope::ControlCommand::Disconnect& command) {
  const std::string& reason = command.reason();
  if (command.code() == 0)
    return close_by_application(static_cast<std::uint32_t>(CloseCode::kForceDisconnect),
                                reason.empty() ? "force disconnect" : reason);
  close_by_application(command.code(), reason);
}

void CentrifugeClient::unsubscribe_by_server(const envelope::ControlCommand::Unsubscribe& command) {
  const bool connecting = state_.stage == ClientStage::kConnecting;
  if (!connecting && state_.stage != ClientStage::kConnected) return;
  const std::uint32_t code = application_unsubscribe_code(command.code());
  const std::string reason = bounded_text(command.reason(), kApplicationTextBytesMax);
  std::vector<ChannelNames::Name> channels;
  for (const CentrifugeSubscription& one : state_.subscriptions)
    if (command.channel().empty() || command.channel() == one.channel->name())
      channels.push_back(one.channel);
  for (const ChannelNames::Name& channel : channels) {
    if (find(channel->name())->joining) {
      // It hears of it as the answer to its subscribe. Codes from 2500 on: it shall try again.
      for (const JoinInProgress& join : state_.work().joins)
        if (join.channel == channel && join.origin == JoinOrigin::kCommand)
          fail(join.command, code >= static_cast<std::uint32_t>(UnsubscribeCode::kInsufficientState)
                                 ? CentrifugeError::kInternal
                                 : CentrifugeError::kPermissionDenied);
      drop(channel->name());
      continue;
    }
    drop(channel->name());
    if (connecting) {
      // It hears of it by not finding it in the connect reply.
      if (state_.work().welcome)
        state_.work().welcome->mutable_connect()->mutable_subs()->erase(channel->name());
    } else {
      push_unsubscribe(channel->name(), code, reason);
    }
  }
  if (connecting) return connect_if_joined();
  run_waiting();
}

void CentrifugeClient::subscribe_by_server(const envelope::ControlCommand::Subscribe& command) {
  if (state_.stage != ClientStage::kConnected || find(command.channel()) != nullptr) return;
  const ChannelRules* rules =
      proto::is_public_name(command.channel()) ? service_.rules().find(command.channel()) : nullptr;
  const bool refused = rules == nullptr || command.info().size() > kChanInfoBytesMax ||
                       command.data().size() > service_.options().answer_bytes_max ||
                       is_past(command.expire_at()) ||
                       state_.subscriptions.size() >= service_.rules().connection().channels_max;
  if (refused) {
    ++service_.counters().server_subscribes_refused;
    return;
  }
  TokenOverride override;
  override.presence = setting(command.presence());
  override.join_leave = setting(command.join_leave());
  override.force_push_join_leave = override.join_leave;
  override.force_recovery = setting(command.recovery());
  override.force_positioning = setting(command.positioning());
  SubscribeWishes wishes;
  wishes.recoverable = command.recover();
  JoinPlan plan;
  plan.channel = command.channel();
  plan.kind = subscription_kind(*rules, wishes, override);
  plan.origin = JoinOrigin::kPush;
  plan.expires_at = command.expire_at();
  plan.info = command.info();
  plan.data = command.data();
  plan.recover_max = std::min(rules->recover_max, kHistoryLimitMax);
  if (command.recover() && plan.kind.recoverable)
    plan.since = proto::Position{command.since_epoch(), command.since_offset()};
  if (!start_join(std::move(plan))) ++service_.counters().server_subscribes_refused;
}

void CentrifugeClient::refresh_by_server(const envelope::ControlCommand::Refresh& command) {
  if (state_.stage != ClientStage::kConnected) return;
  if (command.expired() || is_past(command.expire_at()))
    return close(CloseCode::kExpired, "expired");
  set_expiry(command.expire_at());
  if (!command.info().empty() && command.info().size() <= kConnInfoBytesMax) {
    state_.details().conn_info = command.info();
    for (const CentrifugeSubscription& one : state_.subscriptions)
      if (!one.joining) set_presence(one);
  }
  centrifuge::Reply said;
  said.mutable_push()->mutable_refresh();
  if (command.expire_at() > 0) {
    const std::int64_t left = command.expire_at() - service_.unix_now();
    said.mutable_push()->mutable_refresh()->set_expires(true);
    said.mutable_push()->mutable_refresh()->set_ttl(
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 1, UINT32_MAX)));
  }
  reply(said);
}

}  // namespace sluice::gateway
