// presence, presence_stats and history: asked of the relay.
#include <algorithm>
#include <utility>

#include "gateway/protocols/centrifuge_client.h"
#include "gateway/protocols/centrifuge_limits.h"
#include "proto/names.h"

namespace sluice::gateway {

const ChannelRules* CentrifugeClient::rules_for_query(std::uint32_t id,
                                                      const std::string& channel) {
  if (channel.empty()) {
    close(CloseCode::kBadRequest, "bad request");
    return nullptr;
  }
  if (!proto::is_public_name(channel)) {
    fail(id, CentrifugeError::kBadRequest);
    return nullptr;
  }
  const ChannelRules* rules = service_.rules().find(channel);
  if (rules == nullptr) fail(id, CentrifugeError::kUnknownChannel);
  return rules;
}

void CentrifugeClient::ask_presence(const Command& command, const std::string& channel,
                                    RequestKind kind) {
  const ChannelRules* rules = rules_for_query(command.id(), channel);
  if (rules == nullptr) return;
  if (!rules->presence_on) return fail(command.id(), CentrifugeError::kNotAvailable);
  if (!is_among(rules->presence, {state_.user_name(), find(channel) != nullptr}))
    return fail(command.id(), CentrifugeError::kPermissionDenied);
  if (too_many_requests()) return fail(command.id(), CentrifugeError::kTooManyRequests);
  RequestInProgress request;
  request.ticket = state_.next_ticket();
  request.kind = kind;
  request.command = command.id();
  request.channel = channel;
  if (!ask(request)) return fail(command.id(), CentrifugeError::kInternal);
  begin(std::move(request));
}

void CentrifugeClient::ask_history(const Command& command) {
  const centrifuge::HistoryRequest& asked = command.history();
  const ChannelRules* rules = rules_for_query(command.id(), asked.channel());
  if (rules == nullptr) return;
  if (rules->history_size == 0) return fail(command.id(), CentrifugeError::kNotAvailable);
  if (!is_among(rules->history, {state_.user_name(), find(asked.channel()) != nullptr}))
    return fail(command.id(), CentrifugeError::kPermissionDenied);
  if (too_many_requests()) return fail(command.id(), CentrifugeError::kTooManyRequests);
  RequestInProgress request;
  request.ticket = state_.next_ticket();
  request.kind = RequestKind::kHistory;
  request.command = command.id();
  request.channel = asked.channel();
  request.query.limit = asked.limit() < 0
                            ? kHistoryLimitMax
                            : std::min(static_cast<std::uint32_t>(asked.limit()), kHistoryLimitMax);
  request.query.reverse = asked.reverse();
  if (asked.has_since()) {
    request.query.since = said_position(asked.since().epoch(), asked.since().offset());
    request.any_epoch = asked.since().epoch().empty();
  }
  if (!ask(request)) return fail(command.id(), CentrifugeError::kInternal);
  begin(std::move(request));
}

bool CentrifugeClient::ask(const RequestInProgress& request) {
  if (request.kind == RequestKind::kHistory)
    return actions_.ask_history(session_, request.ticket, request.channel, request.query);
  return actions_.ask_presence(session_, request.ticket, request.channel,
                               request.kind == RequestKind::kPresenceStats);
}

bool CentrifugeClient::too_many_requests() const {
  return state_.in_progress && state_.in_progress->requests.size() >= kClientRequestsMax;
}

void CentrifugeClient::begin(RequestInProgress request) {
  state_.work().requests.push_back(std::move(request));
  changed_ = true;
}

std::optional<RequestInProgress> CentrifugeClient::take_request(Ticket ticket) {
  if (!state_.in_progress) return std::nullopt;
  auto& requests = state_.in_progress->requests;
  const auto found = std::find_if(requests.begin(), requests.end(),
                                  [ticket](const auto& one) { return one.ticket == ticket; });
  if (found == requests.end()) return std::nullopt;
  RequestInProgress request = std::move(*found);
  requests.erase(found);
  changed_ = true;
  return request;
}

// ---- answers

void CentrifugeClient::history(Ticket ticket, const HistoryFound& found) {
  auto request = take_request(ticket);
  if (!request) return;
  if (request->any_epoch && request->query.since && request->query.since->epoch == 0 &&
      found.top.epoch != 0) {
    // Since an offset of whatever epoch there is: the first answer says which.
    request->query.since->epoch = found.top.epoch;
    request->ticket = state_.next_ticket();
    if (!ask(*request)) return fail(request->command, CentrifugeError::kInternal);
    return begin(*std::move(request));
  }
  const auto& since = request->query.since;
  if (since && !request->any_epoch && since->epoch != found.top.epoch)
    return fail(request->command, CentrifugeError::kUnrecoverable);
  centrifuge::Reply said;
  said.set_id(request->command);
  centrifuge::HistoryResult& result = *said.mutable_history();
  result.set_epoch(epoch_text(found.top.epoch));
  result.set_offset(found.top.offset);
  std::size_t bytes = 0;
  for (const PublicationView& one : found.publications) {
    bytes += one.payload.size() + one.meta.size();
    // The client goes on behind the last that it got.
    if (result.publications_size() > 0 && bytes > service_.options().answer_bytes_max) break;
    if (static_cast<std::uint32_t>(result.publications_size()) >= request->query.limit) break;
    state_.codec->fill(*result.add_publications(), one.offset, one.payload, one.meta);
  }
  reply(said);
}

void CentrifugeClient::presence(Ticket ticket, const PresenceFound& found) {
  const auto request = take_request(ticket);
  if (!request) return;
  centrifuge::Reply said;
  said.set_id(request->command);
  if (request->kind == RequestKind::kPresenceStats) {
    said.mutable_presence_stats()->set_num_clients(found.clients);
    said.mutable_presence_stats()->set_num_users(found.users);
    return reply(said);
  }
  auto& presence = *said.mutable_presence()->mutable_presence();
  std::size_t bytes = 0;
  for (const PresenceView& one : found.entries) {
    bytes += one.client.size() + one.info.size();
    // Half of who is there would be a wrong answer.
    if (bytes > service_.options().answer_bytes_max)
      return fail(request->command, CentrifugeError::kLimitExceeded);
    envelope::Client client;
    if (!client.ParseFromArray(one.info.data(), static_cast<int>(one.info.size()))) continue;
    centrifuge::ClientInfo& info = presence[std::string(one.client)];
    info.set_user(client.user());
    info.set_client(std::string(one.client));
    info.set_conn_info(client.conn_info());
    info.set_chan_info(client.chan_info());
  }
  reply(said);
}

void CentrifugeClient::request_failed(Ticket ticket, proto::ErrorReason /*reason*/) {
  if (const auto join = take_join(ticket)) return join_failed(*join, CentrifugeError::kInternal);
  if (const auto request = take_request(ticket)) fail(request->command, CentrifugeError::kInternal);
}

}  // namespace sluice::gateway
