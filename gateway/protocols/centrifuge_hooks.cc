// What the application is asked about a client, and what comes of its answers. One command at a
// time: those behind it wait.
#include <utility>

#include "gateway/protocols/centrifuge_client.h"
#include "gateway/protocols/centrifuge_limits.h"

namespace sluice::gateway {
namespace {

constexpr std::string_view kNamePrefix = "centrifuge-";

/// A hook that could not be asked says nothing: no result of any kind.
template <typename Out>
[[nodiscard]] HookWord word_of(const HookAnswer& answer, Out& out) {
  return answer.fault == HookFault::kNone ? read_answer(answer.body, out) : HookWord{};
}

}  // namespace

HookSubject CentrifugeClient::subject() const {
  HookSubject subject;
  subject.client = id_;
  subject.protocol = state_.codec->name();
  if (subject.protocol.starts_with(kNamePrefix)) subject.protocol.remove_prefix(kNamePrefix.size());
  subject.user = state_.user_name();
  if (state_.more) subject.meta = state_.more->meta;
  return subject;
}

HookRequest CentrifugeClient::hook_request(HookKind kind, Ticket ticket, std::string body) const {
  HookRequest request;
  request.kind = kind;
  request.origin = session_.ref;
  request.ticket = ticket;
  request.body = std::move(body);
  if (state_.more) request.headers = state_.more->headers;
  return request;
}

void CentrifugeClient::ask_hook(HookKind kind, const Command& command, std::string body) {
  const Ticket ticket = state_.next_ticket();
  state_.work().hook = HookInProgress{ticket, kind, command.SerializeAsString()};
  changed_ = true;
  service_.hooks(kind)->call(hook_request(kind, ticket, std::move(body)));
}

void CentrifugeClient::hook_answered(const HookAnswer& answer) {
  if (!open()) return;
  if (answer.kind == HookKind::kRefresh) return refresh_answered(answer);
  if (!state_.in_progress || !state_.in_progress->hook ||
      state_.in_progress->hook->ticket != answer.ticket)
    return;
  const HookInProgress asked = std::move(*state_.in_progress->hook);
  state_.in_progress->hook.reset();
  changed_ = true;
  Command command;
  if (!command.ParseFromString(asked.command))
    return close(CloseCode::kServerError, "internal error");
  switch (asked.kind) {
    case HookKind::kConnect:
      answered_connect(command, answer);
      break;
    case HookKind::kSubscribe:
      answered_subscribe(command, answer);
      break;
    case HookKind::kPublish:
      answered_publish(command, answer);
      break;
    case HookKind::kRpc:
      answered_rpc(command, answer);
      break;
    case HookKind::kRefresh:
    case HookKind::kDisconnected:
      break;
  }
  if (open()) run_waiting();
}

bool CentrifugeClient::refused_by_application(std::uint32_t id, const HookWord& word) {
  if (word.kind == HookWord::Kind::kResult) return false;
  if (word.kind == HookWord::Kind::kDisconnect) {
    close_by_application(word.code, word.text);
  } else if (word.kind == HookWord::Kind::kError && word.code > 0) {
    fail(id, word.code, word.text,
         word.code < kCustomErrorMin && is_temporary(static_cast<CentrifugeError>(word.code)));
  } else {
    fail(id, CentrifugeError::kInternal);
  }
  return true;
}

void CentrifugeClient::close_by_application(std::uint32_t code, const std::string& reason) {
  const std::string text = application_close_reason(reason);
  close(static_cast<CloseCode>(application_close_code(code)), text.c_str());
}

void CentrifugeClient::answered_connect(const Command& command, const HookAnswer& answer) {
  HookConnect said;
  const HookWord word = word_of(answer, said);
  switch (word.kind) {
    case HookWord::Kind::kMalformed:
      // It comes back, perhaps when the application does.
      return close(CloseCode::kServerError, "internal error");
    case HookWord::Kind::kDisconnect:
      return close_by_application(word.code, word.text);
    case HookWord::Kind::kError:
      if (word.code == 0) return refuse(command.id(), CentrifugeError::kInternal);
      return refuse(command.id(), word.code, word.text,
                    is_temporary(static_cast<CentrifugeError>(word.code)));
    case HookWord::Kind::kResult:
      break;
  }
  if (is_past(said.expire_at)) return refuse(command.id(), CentrifugeError::kExpired);
  Admission admission;
  admission.user = std::move(said.user);
  admission.conn_info = std::move(said.info);
  admission.meta = std::move(said.meta);
  admission.data = std::move(said.data);
  admission.expires_at = said.expire_at;
  admission.subscriptions = std::move(said.subscriptions);
  admission.by_hook = true;
  admit(command, std::move(admission));
}

void CentrifugeClient::answered_subscribe(const Command& command, const HookAnswer& answer) {
  HookSubscribe said;
  const HookWord word = word_of(answer, said);
  if (refused_by_application(command.id(), word)) return;
  // The rules may have changed, and the server API may have subscribed it meanwhile.
  const std::string& channel = command.subscribe().channel();
  const ChannelRules* rules = service_.rules().find(channel);
  if (rules == nullptr || !may_subscribe_with_token(*rules))
    return fail(command.id(), CentrifugeError::kPermissionDenied);
  if (find(channel) != nullptr) return fail(command.id(), CentrifugeError::kAlreadySubscribed);
  if (is_past(said.expire_at)) return fail(command.id(), CentrifugeError::kExpired);
  JoinPlan plan;
  plan.expires_at = said.expire_at;
  plan.info = std::move(said.info);
  plan.data = std::move(said.data);
  subscribe_allowed(command, *rules, std::move(plan), said.override);
}

void CentrifugeClient::answered_publish(const Command& command, const HookAnswer& answer) {
  HookPublish said;
  const HookWord word = word_of(answer, said);
  if (refused_by_application(command.id(), word)) return;
  const std::string& channel = command.publish().channel();
  const ChannelRules* rules = service_.rules().find(channel);
  if (rules == nullptr) return fail(command.id(), CentrifugeError::kUnknownChannel);
  publish_allowed(command.id(), channel, said.data ? *said.data : command.publish().data(), *rules);
}

void CentrifugeClient::answered_rpc(const Command& command, const HookAnswer& answer) {
  HookRpc said;
  const HookWord word = word_of(answer, said);
  if (refused_by_application(command.id(), word)) return;
  centrifuge::Reply reply_to_it;
  reply_to_it.set_id(command.id());
  reply_to_it.mutable_rpc()->set_data(std::move(said.data));
  reply(reply_to_it);
}

}  // namespace sluice::gateway
