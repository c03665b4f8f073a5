#include "gateway/runtime_registration.h"

#include <utility>

#include "common/check.h"
#include "common/ip.h"
#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

constexpr unsigned kByOperator = kAdminMaintenance | kAdminDrain;

/// Born by `add server`, or being taken out, and its maker died in between: a server in maintenance
/// that is not even checked. What an operator puts into maintenance is.
bool is_unfinished(const HaproxyServer& server) {
  return (server.admin & kAdminMaintenance) != 0 && (server.check & kCheckEnabled) == 0;
}

/// Left by a gateway that ended while an operator's drain stood: the bit alone could be its
/// agent's.
bool is_kept_drain(const HaproxyServer& server) {
  return (server.admin & kByOperator) == kAdminDrain && (server.check & kCheckEnabled) == 0;
}

std::string place(const HaproxyServer& server) {
  Address address;
  address.host = server.address;
  address.port = server.port;
  return to_string(address);
}

}  // namespace

RuntimeRegistration::RuntimeRegistration(ServerPlan plan, Random& random, Say say)
    : plan_(std::move(plan)),
      random_(random),
      backoff_(kHaproxyRetryMin, kHaproxyRetryMax, random),
      say_(std::move(say)) {
}

void RuntimeRegistration::start(TimePoint now) {
  if (std::exchange(started_, true) || leaving_) return;
  act(Step::kLook, now);
}

void RuntimeRegistration::leave(TimePoint now, TimePoint deadline) {
  if (std::exchange(leaving_, true)) return;
  left_at_ = now;
  deadline_ = deadline;
  outdated_ = in_flight_;
  if (started_) {
    act(Step::kLook, now);
  } else {
    gone_ = true;
  }
}

// ---- commands

std::optional<std::string> RuntimeRegistration::next_command(TimePoint now, ServingState state) {
  CHECK(!in_flight_);
  if (gone_ || now < wake_) return std::nullopt;
  if (leaving_ && now >= deadline_) {
    say(LogLevel::kWarn, plan_.full_name() + " is not removed: no time left");
    finish();
    return std::nullopt;
  }
  // The gateway has ceased to serve between a look and what it led to.
  const bool brings_clients = step_ == Step::kAdd || step_ == Step::kEnable;
  if (brings_clients && !state.serving) {
    rest(now);
    return std::nullopt;
  }
  in_flight_ = true;
  ++stats_.commands;
  return words_of(step_);
}

std::string RuntimeRegistration::words_of(Step step) const {
  const std::string server = plan_.full_name();
  switch (step) {
    case Step::kLook:
      return "show servers state " + plan_.backend;
    case Step::kAdd:
      return "add server " + server + " " + plan_.words + " id " + std::to_string(plan_.id);
    case Step::kEnable:
      return enable_words();
    case Step::kReplace:
    case Step::kRetire:
      return retire_words();
    case Step::kDrive:
      return "set server " + server + " health " +
             (health_ == Health::kUp         ? "up"
              : health_ == Health::kStopping ? "stopping"
                                             : "down");
    case Step::kRestore:
      return "set server " + server + " state " +
             ((operator_admin_ & kAdminMaintenance) != 0 ? "maint" : "drain");
    case Step::kKeep:
      return "disable health " + server;
    case Step::kDelete:
      return "del server " + server;
    case Step::kKick:
      return "shutdown sessions server " + server;
  }
  return "";
}

// One line, so that HAProxy does all of it or nothing when we die. Health before server: one failed
// check then suffices to take it out again. Agent after server: the other way round it would be
// born down until the agent's first word, and after a reload of HAProxy every second without a
// server counts.
std::string RuntimeRegistration::enable_words() const {
  const std::string server = plan_.full_name();
  std::string words = "enable health " + server;
  // An operator's maintenance is not ended. It shows in the checks that this is it, and no server
  // left half done.
  if ((operator_admin_ & kAdminMaintenance) == 0) words += "; enable server " + server;
  if ((operator_admin_ & kAdminDrain) != 0) words += "; set server " + server + " state drain";
  if (plan_.agent) words += "; enable agent " + server;
  return words;
}

std::string RuntimeRegistration::retire_words() const {
  const std::string server = plan_.full_name();
  std::string words = "disable health " + server;
  if (plan_.agent) words += "; disable agent " + server;
  return words + "; set server " + server + " state maint; del server " + server;
}

void RuntimeRegistration::act(Step step, TimePoint when) {
  step_ = step;
  wake_ = when;
}

void RuntimeRegistration::rest(TimePoint now) {
  act(Step::kLook, now + kHaproxyLook +
                       Duration(static_cast<std::int64_t>(
                           random_.below(static_cast<std::uint64_t>(kHaproxyLookSpread.count())))));
}

void RuntimeRegistration::finish() {
  gone_ = true;
  registered_ = false;
  wake_ = TimePoint::max();
}

// ---- answers

void RuntimeRegistration::answered(std::string_view reply, TimePoint now, ServingState state) {
  CHECK(in_flight_);
  in_flight_ = false;
  if (std::exchange(outdated_, false)) return;
  // Every answer ends with a line's end.
  if (!reply.ends_with('\n')) {
    ++stats_.failures;
    return unanswered("its answer is cut short", now);
  }
  switch (step_) {
    case Step::kLook:
      return looked(reply, now, state);
    case Step::kAdd:
      return added(reply, now);
    case Step::kEnable:
      return enabled(reply, now);
    case Step::kReplace:
      return replaced(reply, now);
    case Step::kDrive:
      return driven(reply, now);
    case Step::kRestore:
      return enabled(reply, now);
    case Step::kKeep:
      return finish();
    case Step::kRetire:
    case Step::kDelete:
      return retired(reply, now);
    case Step::kKick:
      // Whatever came of it, what counts is whether the server can be deleted now.
      return act(Step::kDelete, now);
  }
}

void RuntimeRegistration::failed(const std::string& why, TimePoint now) {
  CHECK(in_flight_);
  in_flight_ = false;
  ++stats_.failures;
  if (std::exchange(outdated_, false)) return;
  unanswered(why, now);
}

void RuntimeRegistration::unanswered(const std::string& why, TimePoint now) {
  ++failures_;
  if (leaving_) {
    if (!away_since_) away_since_ = now;
    if (now - *away_since_ < kHaproxyLeaveAway) return act(Step::kLook, now + kHaproxyLeaveRetry);
    // A HAProxy that is away has no server of ours either.
    say(LogLevel::kWarn, "away (" + why + "): " + plan_.full_name() + " is not removed");
    return finish();
  }
  if (failures_ >= kHaproxyFailuresSaid) {
    registered_ = false;
    say(LogLevel::kWarn, "away: " + why + "; trying again");
  }
  act(Step::kLook, now + backoff_.next());
}

// ---- what the table says

void RuntimeRegistration::looked(std::string_view reply, TimePoint now, ServingState state) {
  if (!is_server_table(reply)) {
    const std::string words = said_first(reply);
    return refused(judge_refusal(words), words.empty() ? "nothing" : words, now);
  }
  const auto server = find_server(reply, plan_.name);
  if (!server) {
    ++stats_.failures;
    return unanswered(server.error().message, now);
  }
  failures_ = 0;
  away_since_.reset();
  backoff_.reset();
  if (leaving_) return looked_leaving(*server, now);
  if (!*server) return looked_absent(now, state);
  if (made_for((*server)->id, plan_.name)) return looked_ours(**server, now, state);
  looked_foreign(**server, now, state);
}

void RuntimeRegistration::looked_absent(TimePoint now, ServingState state) {
  keep_as_is_ = false;
  health_ = Health::kUnsaid;
  if (std::exchange(registered_, false)) {
    say(LogLevel::kInfo, plan_.full_name() + " is not there any more: HAProxy was reloaded?");
  }
  if (!state.serving) return rest(now);
  act(Step::kAdd, now);
}

void RuntimeRegistration::looked_ours(const HaproxyServer& server, TimePoint now,
                                      ServingState state) {
  if (is_kept_drain(server)) {
    operator_admin_ = kAdminDrain;
    return state.serving ? act(Step::kEnable, now) : rest(now);
  }
  if (!is_unfinished(server)) {
    if (undone_by_us(server, now, state)) return act(Step::kRestore, now);
    note_operator(server, state);
  }
  if (server.id == plan_.id || (keep_as_is_ && !elsewhere(server))) {
    if (!is_unfinished(server)) return standing(server, now, state);
    if (!state.serving) return rest(now);
    return act(Step::kEnable, now);
  }
  // Made with other flags, or by a gateway at another address. While that one lives it is not ours
  // to replace: two gateways that have the same name by mistake would go on for ever.
  const bool dead = is_unfinished(server) ||
                    (server.operational == kServerStopped && (server.admin & kByOperator) == 0);
  if (elsewhere(server) && !dead) {
    return refused(HaproxyRefusal::kNameTaken,
                   plan_.full_name() + " is another gateway's, at " + place(server), now);
  }
  if (!state.serving) return rest(now);
  replaced_elsewhere_ = elsewhere(server);
  act(Step::kReplace, now);
}

void RuntimeRegistration::standing(const HaproxyServer& server, TimePoint now, ServingState state) {
  registered_ = true;
  const std::string how = keep_as_is_ ? " as it was made with other flags" : "";
  if ((operator_admin_ & kAdminMaintenance) != 0) {
    say(LogLevel::kInfo, "registered as " + plan_.full_name() + how + ", in maintenance by an " +
                             "operator: `set server " + plan_.full_name() +
                             " state ready` ends that");
  } else if ((operator_admin_ & kAdminDrain) != 0) {
    say(LogLevel::kInfo, "registered as " + plan_.full_name() + how + ", in drain by an " +
                             "operator: `set server " + plan_.full_name() +
                             " state ready` ends that");
  } else if (!state.draining && (server.admin & kByOperator) == 0) {
    say(LogLevel::kInfo, "registered as " + plan_.full_name() + how + " at " + to_string(plan_.at));
  }
  rest(now);
}

// An agent's drain sets the same bit as an operator's. It is ours for as long as we drain, and
// stays for a moment after that.
void RuntimeRegistration::note_operator(const HaproxyServer& server, ServingState state) {
  const unsigned maintenance = server.admin & kAdminMaintenance;
  unsigned drain = operator_admin_ & kAdminDrain;
  if ((server.admin & kAdminDrain) == 0) {
    drain_looks_ = 0;
    drain = 0;
  } else if (!state.draining && (!plan_.agent || ++drain_looks_ >= kHaproxyDrainLooks)) {
    drain = kAdminDrain;
  }
  operator_admin_ = maintenance | drain;
}

// The agent owes HAProxy a `ready` for its own drain, and HAProxy ends by it what an operator has
// set before. So it is set again.
bool RuntimeRegistration::undone_by_us(const HaproxyServer& server, TimePoint now,
                                       ServingState state) {
  if (std::exchange(ready_said_, state.ready_said) != state.ready_said)
    ready_until_ = now + kHaproxyReadyTaken;
  return now < ready_until_ && (operator_admin_ & ~server.admin) != 0;
}

bool RuntimeRegistration::elsewhere(const HaproxyServer& server) const {
  const auto ours = IpAddress::parse(plan_.at.host);
  const auto theirs = IpAddress::parse(server.address);
  // A Unix socket or a name tells nothing.
  if (!ours || !theirs) return false;
  return *ours != *theirs || plan_.at.port != server.port;
}

RuntimeRegistration::Health RuntimeRegistration::health_wanted(const HaproxyServer& server,
                                                               ServingState state) const {
  const bool in = server.operational == kServerRunning || server.operational == kServerStarting;
  // Once, when it begins to serve: from then on HAProxy's checks know better.
  if (state.serving) return !in && health_ != Health::kUp ? Health::kUp : Health::kUnsaid;
  return state.draining && in ? Health::kStopping : Health::kUnsaid;
}

void RuntimeRegistration::looked_foreign(const HaproxyServer& server, TimePoint now,
                                         ServingState state) {
  if (elsewhere(server)) {
    return refused(HaproxyRefusal::kNameTaken,
                   plan_.full_name() + " is a server of its configuration at " + place(server),
                   now);
  }
  registered_ = true;
  say(LogLevel::kInfo, plan_.full_name() +
                           " is in its configuration: its health is driven, maint and drain "
                           "are the operators'");
  const Health wanted = health_wanted(server, state);
  if (wanted == Health::kUnsaid) {
    if (state.serving) health_ = Health::kUp;
    return rest(now);
  }
  health_ = wanted;
  act(Step::kDrive, now);
}

void RuntimeRegistration::looked_leaving(const std::optional<HaproxyServer>& server,
                                         TimePoint now) {
  if (!server) {
    say(LogLevel::kInfo, plan_.full_name() + " is not there any more");
    return finish();
  }
  if (!made_for(server->id, plan_.name)) {
    if (elsewhere(*server) || server->operational == kServerStopped) return finish();
    health_ = Health::kDown;
    return act(Step::kDrive, now);
  }
  if (server->id != plan_.id && elsewhere(*server)) return finish();
  const bool kept = !is_unfinished(*server) && ((server->admin & kAdminMaintenance) != 0 ||
                                                (operator_admin_ & kAdminDrain) != 0);
  if (kept) {
    say(LogLevel::kInfo, plan_.full_name() + " stays: an operator has put it into " +
                             ((server->admin & kAdminMaintenance) != 0 ? "maintenance" : "drain") +
                             ", which the next start will find; `del server " + plan_.full_name() +
                             "` in maintenance removes it");
    if ((server->admin & kAdminMaintenance) == 0) return act(Step::kKeep, now);
    return finish();
  }
  act(Step::kRetire, now);
}

// ---- what came of a command

void RuntimeRegistration::added(std::string_view reply, TimePoint now) {
  const std::string words = said_first(reply);
  if (words != "New server registered.") return refused(judge_refusal(words), words, now);
  ++stats_.registrations;
  act(Step::kEnable, now);
}

void RuntimeRegistration::enabled(std::string_view reply, TimePoint now) {
  const std::string words = said_first(reply);
  if (!words.empty()) return refused(judge_refusal(words), words, now);
  // The look says it, once it has seen it.
  act(Step::kLook, now);
}

void RuntimeRegistration::replaced(std::string_view reply, TimePoint now) {
  const std::string words = said_last(reply);
  if (words == "Server deleted." || words == "No such server.") return act(Step::kAdd, now);
  if (judge_refusal(words) == HaproxyRefusal::kSessions && !replaced_elsewhere_) {
    // Its sessions may last for hours, and without it new clients would go elsewhere for as long.
    keep_as_is_ = true;
    return act(Step::kEnable, now);
  }
  refused(judge_refusal(words), words, now);
}

void RuntimeRegistration::driven(std::string_view reply, TimePoint now) {
  const std::string words = said_first(reply);
  if (!words.empty()) return refused(judge_refusal(words), words, now);
  if (leaving_) {
    say(LogLevel::kInfo, plan_.full_name() + " set down: this gateway ends");
    return finish();
  }
  rest(now);
}

void RuntimeRegistration::retired(std::string_view reply, TimePoint now) {
  const std::string words = said_last(reply);
  if (words == "Server deleted." || words == "No such server.") {
    say(LogLevel::kInfo, "removed " + plan_.full_name());
    return finish();
  }
  const HaproxyRefusal reason = judge_refusal(words);
  if (reason != HaproxyRefusal::kSessions) return refused(reason, words, now);
  if (now + kHaproxyDeleteRetry >= deadline_) {
    ++stats_.refusals[static_cast<std::size_t>(reason)];
    say(LogLevel::kWarn, plan_.full_name() + " is left in maintenance: \"" + words +
                             "\"; the next start takes it over, or remove it with `del server " +
                             plan_.full_name() + "`");
    return finish();
  }
  // Our side of these sessions has ended; it is clients that don't react who hold them.
  if (!kicked_ && now - left_at_ >= (deadline_ - left_at_) / kHaproxyKickPart) {
    kicked_ = true;
    return act(Step::kKick, now);
  }
  act(Step::kDelete, now + kHaproxyDeleteRetry);
}

// ---- refusals

void RuntimeRegistration::refused(HaproxyRefusal reason, const std::string& words, TimePoint now) {
  ++stats_.refusals[static_cast<std::size_t>(reason)];
  if (leaving_) {
    say(LogLevel::kWarn, plan_.full_name() + " is not removed: \"" + words + "\"" + remedy(reason));
    return finish();
  }
  registered_ = false;
  say(LogLevel::kWarn, "refuses: \"" + words + "\"" + remedy(reason));
  const bool soon = reason == HaproxyRefusal::kNameTaken || reason == HaproxyRefusal::kSessions;
  act(Step::kLook, now + (soon ? kHaproxyTakenWait : kHaproxyRefusedWait));
}

std::string RuntimeRegistration::remedy(HaproxyRefusal reason) const {
  switch (reason) {
    case HaproxyRefusal::kPermission:
      return "; its `stats socket` line needs `level admin`";
    case HaproxyRefusal::kNoBackend:
      return "; --haproxy-server names the backend " + plan_.backend + ": mend one of the two";
    case HaproxyRefusal::kStaticBalance:
      return "; give backend " + plan_.backend + " `balance leastconn`";
    case HaproxyRefusal::kNameTaken:
      return "; choose another NAME in --haproxy-server, or mend --haproxy-advertise (this gateway "
             "is at " +
             to_string(plan_.at) + ")";
    case HaproxyRefusal::kParameters:
      return "; see --haproxy-options, and whether this HAProxy is 2.6 or newer";
    case HaproxyRefusal::kSessions:
      return "; its sessions have to end first";
    case HaproxyRefusal::kOther:
      return "; HAProxy must be 2.6 or newer, and this its stats socket";
  }
  return "";
}

void RuntimeRegistration::say(LogLevel level, const std::string& line) {
  if (line == said_) return;
  said_ = line;
  say_(level, line);
}

}  // namespace sluice::gateway
