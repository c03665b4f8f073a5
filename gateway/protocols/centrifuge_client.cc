#include "gateway/protocols/centrifuge_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/log.h"
#include "gateway/limits.h"
#include "gateway/protocols/centrifuge_limits.h"
#include "proto/epoch.h"

namespace sluice::gateway {
namespace {

/// No deadline is looked at longer ahead: it is set again then.
constexpr std::int64_t kLookAheadSeconds = std::int64_t{24} * 3600;

/// Empty: it is not about one channel, or must not wait for it.
[[nodiscard]] std::string_view channel_of(const centrifuge::Command& command) {
  if (command.has_unsubscribe()) return command.unsubscribe().channel();
  if (command.has_publish()) return command.publish().channel();
  if (command.has_presence()) return command.presence().channel();
  if (command.has_presence_stats()) return command.presence_stats().channel();
  if (command.has_history()) return command.history().channel();
  if (command.has_sub_refresh()) return command.sub_refresh().channel();
  return {};
}

}  // namespace

CentrifugeState& CentrifugeClient::state_of(const ClientSession& session) {
  return static_cast<CentrifugeState&>(*session.state.protocol);
}

CentrifugeClient::CentrifugeClient(ClientSession& session, CentrifugeService& service,
                                   ProtocolActions& actions)
    : session_(session),
      state_(state_of(session)),
      service_(service),
      actions_(actions),
      id_(uuid_of(session.state.id)),
      output_(session, *state_.codec, actions),
      due_before_(session.state.due_at) {
}

CentrifugeClient::~CentrifugeClient() {
  output_.flush();
  state_.trim();
  if (!open()) return;
  schedule();
  const TimePoint due = session_.state.due_at;
  const bool earlier = due != TimePoint{} && (due_before_ == TimePoint{} || due < due_before_);
  if (changed_ || earlier) actions_.changed(session_);
}

void CentrifugeClient::opened(const UpgradeRequest& request) {
  state_.frame_pings = request.frame_pings;
  if (!request.headers.empty()) state_.details().headers = request.headers;
  service_.add(session_);
}

// ---- commands

void CentrifugeClient::received(proto::Bytes frame) {
  // What can't be answered any more is not done: the client takes it for failed.
  if (!open()) return;
  std::vector<Command> commands;
  if (const auto decoded = state_.codec->decode(frame, commands); !decoded) {
    log_debug("client {}: {}", id_, decoded.error().message);
    return close(CloseCode::kBadRequest, "bad request");
  }
  for (const Command& command : commands) {
    if (!open()) return;
    take(command);
  }
}

void CentrifugeClient::take(const Command& command) {
  ++service_.counters().commands;
  const auto methods = methods_of(command);
  if (methods == 0 && command.id() == 0) return pong();
  if (methods > 1 || command.has_ping() || (command.id() == 0) != command.has_send())
    return close(CloseCode::kBadRequest, "bad request");
  const bool first = state_.stage == ClientStage::kNew;
  if (command.has_connect() != first || state_.stage == ClientStage::kRefused)
    return close(CloseCode::kBadRequest, "bad request");
  if (must_wait(command)) return wait_in_line(command);
  run(command);
}

bool CentrifugeClient::must_wait(const Command& command) {
  if (state_.stage == ClientStage::kConnecting) return true;
  const CentrifugeWork* work = state_.in_progress.get();
  if (work == nullptr) return false;
  if (work->hook || !work->waiting.empty()) return true;
  if (work->joins.empty()) return false;
  const CentrifugeSubscription* subscription = find(channel_of(command));
  return subscription != nullptr && subscription->joining;
}

void CentrifugeClient::wait_in_line(const Command& command) {
  CentrifugeWork& work = state_.work();
  std::string bytes = command.SerializeAsString();
  const bool too_many =
      work.waiting.size() >= kWaitingCommandsMax ||
      (!work.waiting.empty() && work.waiting_bytes + bytes.size() > kWaitingBytesMax);
  if (too_many) return close(CloseCode::kSlow, "too many commands wait");
  work.waiting_bytes += bytes.size();
  work.waiting.push_back(std::move(bytes));
  changed_ = true;
}

void CentrifugeClient::run_waiting() {
  if (!state_.in_progress || state_.in_progress->waiting.empty()) return;
  std::vector<std::string> line = std::exchange(state_.in_progress->waiting, {});
  state_.in_progress->waiting_bytes = 0;
  changed_ = true;
  std::size_t done = 0;
  for (; done < line.size() && open(); ++done) {
    Command command;
    // Our own bytes, or those of a record that nobody vouches for.
    if (!command.ParseFromString(line[done]))
      return close(CloseCode::kServerError, "internal error");
    if (must_wait(command)) break;
    run(command);
  }
  if (done == line.size() || !open()) return;
  line.erase(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(done));
  CentrifugeWork& work = state_.work();
  for (const std::string& one : line) work.waiting_bytes += one.size();
  work.waiting = std::move(line);
}

void CentrifugeClient::run(const Command& command) {
  if (command.has_connect()) return connect(command);
  if (command.has_subscribe()) return subscribe(command);
  if (command.has_unsubscribe()) return unsubscribe(command);
  if (command.has_publish()) return publish(command);
  if (command.has_presence())
    return ask_presence(command, command.presence().channel(), RequestKind::kPresence);
  if (command.has_presence_stats())
    return ask_presence(command, command.presence_stats().channel(), RequestKind::kPresenceStats);
  if (command.has_history()) return ask_history(command);
  if (command.has_rpc()) return rpc(command);
  if (command.has_refresh()) return refresh(command);
  if (command.has_sub_refresh()) return sub_refresh(command);
  // Nobody listens to what is only sent.
  if (command.has_send()) return close(CloseCode::kNotAvailable, "not available");
  fail(command.id(), CentrifugeError::kMethodNotFound);
}

// ---- output

void CentrifugeClient::fail(std::uint32_t id, CentrifugeError error) {
  fail(id, static_cast<std::uint32_t>(error), to_string(error), is_temporary(error));
}

void CentrifugeClient::fail(std::uint32_t id, std::uint32_t code, std::string message,
                            bool temporary) {
  ++service_.counters().errors;
  centrifuge::Reply said;
  said.set_id(id);
  said.mutable_error()->set_code(code);
  said.mutable_error()->set_message(std::move(message));
  said.mutable_error()->set_temporary(temporary);
  reply(said);
}

void CentrifugeClient::close(CloseCode code, const char* reason) {
  output_.flush();
  actions_.close(session_, code, reason);
}

// ---- time

void CentrifugeClient::pong() {
  if (state_.pong_deadline != TimePoint{}) {
    state_.pong_deadline = TimePoint{};
    return;
  }
  if (state_.pong_unasked) {
    state_.pong_unasked = false;
    return;
  }
  close(CloseCode::kBadRequest, "bad request");
}

bool CentrifugeClient::ping_unanswered(TimePoint now) {
  if (state_.pong_deadline == TimePoint{} || now < state_.pong_deadline) return false;
  if (now < state_.pong_deadline + kTimerStall) return true;
  // We were stopped or starved: the pong may lie in the socket.
  state_.pong_deadline = now + service_.options().pong_timeout;
  return false;
}

void CentrifugeClient::ping(TimePoint now) {
  if (state_.frame_pings || state_.ping_at == TimePoint{} || now < state_.ping_at) return;
  state_.ping_at = now + service_.options().ping_interval;
  // One at a time: the second pong would be one that nobody has asked for.
  if (state_.pong_deadline != TimePoint{}) return;
  state_.pong_deadline = now + service_.options().pong_timeout;
  output_.flush();
  actions_.deliver(session_, FrameRun::make(state_.codec->opcode(), state_.codec->ping(), {}));
}

void CentrifugeClient::due() {
  const TimePoint now = service_.now();
  due_before_ = TimePoint::min();  // who calls looks at it again
  const bool awaited = state_.stage == ClientStage::kNew || state_.stage == ClientStage::kRefused;
  if (awaited && now >= session_.state.connected_at + service_.options().stale_after)
    return close(CloseCode::kStale, "stale");
  if (state_.stage != ClientStage::kConnected) return;
  if (ping_unanswered(now)) return close(CloseCode::kNoPong, "no pong");
  expire_connection();
  if (open()) expire_subscriptions();
  if (open()) ping(now);
}

TimePoint CentrifugeClient::time_of(std::int64_t unix_seconds) const {
  const std::int64_t left =
      std::clamp(unix_seconds - service_.unix_now(), std::int64_t{0}, kLookAheadSeconds);
  return service_.now() + std::chrono::seconds(left);
}

proto::Position CentrifugeClient::said_position(std::string_view epoch, std::uint64_t offset) {
  if (epoch.empty()) return {0, offset};
  const std::uint64_t number = epoch_number(epoch);
  return {number == 0 ? proto::kForeignEpoch : number, offset};
}

bool CentrifugeClient::is_past(std::int64_t expires_at) const {
  return expires_at > 0 && expires_at <= service_.unix_now();
}

void CentrifugeClient::schedule() {
  TimePoint& next = session_.state.due_at;
  next = {};
  const auto consider = [&next](TimePoint at) {
    if (at != TimePoint{} && (next == TimePoint{} || at < next)) next = at;
  };
  const CentrifugeOptions& options = service_.options();
  const auto grace = std::chrono::duration_cast<std::chrono::seconds>(options.expiry_grace).count();
  if (state_.stage == ClientStage::kNew || state_.stage == ClientStage::kRefused)
    consider(session_.state.connected_at + options.stale_after);
  if (state_.stage == ClientStage::kConnected) {
    if (!state_.frame_pings) consider(state_.ping_at);
    consider(state_.pong_deadline);
    if (state_.expires_at > 0) {
      consider(time_of(state_.expires_at + grace));
      if (state_.server_refresh) consider(time_of(state_.refresh_at));
    }
    if (!state_.may_expire) return;
    for (const CentrifugeSubscription& one : state_.subscriptions)
      if (one.expires_at > 0) consider(time_of(one.expires_at + grace));
  }
}

}  // namespace sluice::gateway
