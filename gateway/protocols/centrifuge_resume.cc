// The end of a session, and the beginning of one that an earlier process had: what was asked then
// is asked again, what may have been done is told as failed, temporarily.
#include <utility>
#include <vector>

#include "gateway/protocols/centrifuge_client.h"

namespace sluice::gateway {

void CentrifugeClient::closed() {
  const bool was_connected = state_.stage == ClientStage::kConnected;
  // One that was taken over may end before it has resumed: it was not counted yet.
  const bool counted = service_.remove(session_);
  for (const CentrifugeSubscription& one : state_.subscriptions) {
    if (one.joining) continue;
    if (counted) --one.channel->extra.clients;
    if (one.presence) actions_.clear_presence(session_, one.channel->name(), id_);
    announce(one, false);
  }
  state_.subscriptions.clear();
  if (was_connected && service_.rules().connection().disconnect_hook) {
    if (HookCaller* hooks = service_.hooks(HookKind::kDisconnected))
      hooks->call(hook_request(HookKind::kDisconnected, 0, disconnected_body(subject())));
  }
  state_.in_progress.reset();
  service_.remove_user(state_, session_);
}

void CentrifugeClient::resumed() {
  service_.add(session_);
  if (state_.user) service_.add_user(state_, session_, std::string(state_.user->name()));
  for (const CentrifugeSubscription& one : state_.subscriptions) {
    if (one.joining) continue;
    ++one.channel->extra.clients;
    set_presence(one);
  }
  if (!open()) return;
  changed_ = true;
  if (state_.stage == ClientStage::kConnecting) return connect_again();
  if (state_.stage == ClientStage::kConnected && !state_.frame_pings) {
    // Pings that became due in the pause must not all leave at once.
    const auto interval = static_cast<std::uint64_t>(service_.options().ping_interval.count());
    state_.ping_at = service_.now() + Duration(service_.random().below(interval) + 1);
  }
  ask_again();
  if (open()) run_waiting();
}

void CentrifugeClient::connect_again() {
  // From the beginning: its reply was never said.
  std::vector<std::string> line = std::move(state_.work().waiting);
  const std::string bytes = std::move(state_.work().connect);
  while (!state_.subscriptions.empty()) drop(state_.subscriptions.back().channel->name());
  service_.remove_user(state_, session_);
  state_.in_progress.reset();
  state_.stage = ClientStage::kNew;
  Command command;
  if (!command.ParseFromString(bytes) || !command.has_connect())
    return close(CloseCode::kServerError, "internal error");
  run(command);
  for (std::size_t i = 0; i < line.size() && open(); ++i) {
    Command waiting;
    if (!waiting.ParseFromString(line[i])) return close(CloseCode::kServerError, "internal error");
    if (state_.stage == ClientStage::kRefused) return;
    if (must_wait(waiting)) {
      wait_in_line(waiting);
    } else {
      run(waiting);
    }
  }
}

void CentrifugeClient::ask_again() {
  if (!state_.in_progress) return;
  std::vector<JoinInProgress> refused;
  for (const JoinInProgress& join : state_.in_progress->joins)
    if (!ask_for(join)) refused.push_back(join);
  for (const JoinInProgress& join : refused) {
    join_failed(join, CentrifugeError::kInternal);
    if (!open()) return;
  }
  if (!state_.in_progress) return;
  const auto requests = std::exchange(state_.in_progress->requests, {});
  for (const RequestInProgress& request : requests) {
    // Whether a publish was done nobody knows.
    if (request.kind == RequestKind::kPublish || !ask(request)) {
      fail(request.command, CentrifugeError::kInternal);
    } else {
      begin(request);
    }
  }
  if (!state_.in_progress->hook) return;
  const HookInProgress asked = std::move(*state_.in_progress->hook);
  state_.in_progress->hook.reset();
  Command command;
  if (!command.ParseFromString(asked.command))
    return close(CloseCode::kServerError, "internal error");
  // What the application did of its own accord must not be done twice.
  if (asked.kind == HookKind::kPublish || asked.kind == HookKind::kRpc)
    return fail(command.id(), CentrifugeError::kInternal);
  run(command);
}

}  // namespace sluice::gateway
