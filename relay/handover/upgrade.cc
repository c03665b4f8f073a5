#include "relay/handover/upgrade.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "common/log.h"
#include "relay/handover/descriptors.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

constexpr Duration kQuietLook = std::chrono::milliseconds(2);

void set_all_inherited(const Preamble& preamble, int state, bool on) {
  for (const int fd : preamble.others) set_inherited(fd, on);
  set_inherited(preamble.link_socket, on);
  if (preamble.admin_socket >= 0) set_inherited(preamble.admin_socket, on);
  set_inherited(state, on);
}

Error system_error(const char* what) {
  return {ErrorCode::kSystem, std::string(what) + ": " + std::strerror(errno)};
}

}  // namespace

Upgrade::Upgrade(event_base* base, const Program& program, const TimeSource& time,
                 UpgradeHost& host)
    : program_(program),
      time_(time),
      host_(host),
      check_(base, program, [this](const Result<void>& result) { checked(result); }),
      begin_event_(make_event<&Upgrade::begin>(base, -1, 0, this)),
      quiet_event_(make_event<&Upgrade::wait_for_quiet>(base, -1, EV_PERSIST, this)) {
}

void Upgrade::ask() {
  event_active(begin_event_.get(), EV_TIMEOUT, 0);
}

void Upgrade::begin() {
  if (phase_ == Phase::kEnded) return log_info("no upgrade: the relay is told to end");
  if (phase_ != Phase::kIdle) return log_info("an upgrade is under way already");
  log_info("upgrade: checking {}", program_.path());
  if (const auto started = check_.start(); !started) return refuse(started.error().message);
  phase_ = Phase::kChecking;
}

void Upgrade::refuse(std::string_view problem) {
  phase_ = Phase::kIdle;
  host_.upgrade_refused();
  log_error("upgrade refused, going on as before: {}", problem);
}

void Upgrade::checked(const Result<void>& result) {
  if (!result) return refuse(result.error().message);
  phase_ = Phase::kQuieting;
  stopped_at_ = time_.now();
  host_.take_in(false);
  const timeval look = to_timeval(kQuietLook);
  event_add(quiet_event_.get(), &look);
  // What was read in this turn has been asked of the broker by now; often all is quiet already.
  event_active(quiet_event_.get(), EV_TIMEOUT, 0);
}

void Upgrade::wait_for_quiet() {
  if (!host_.quiet() && time_.now() - stopped_at_ < kUpgradeQuietWait) return;
  event_del(quiet_event_.get());
  go_over();
}

void Upgrade::go_over() {
  const Error error = execute();
  phase_ = Phase::kIdle;
  host_.take_in(true);
  host_.upgrade_failed();
  log_error("upgrade failed, going on as before: {}", error.message);
}

Error Upgrade::execute() {
  const Preamble preamble = host_.preamble();
  Result<StateMemory> state = write_state(preamble);
  if (!state) return state.error();
  const int fd = state->descriptor();
  hold_signals(true);
  set_all_inherited(preamble, fd, true);
  Error error = program_.execute({kResumeFlag, std::to_string(fd)});
  set_all_inherited(preamble, fd, false);
  hold_signals(false);
  return error;
}

Result<StateMemory> Upgrade::write_state(const Preamble& preamble) {
  Result<StateMemory> memory = StateMemory::create();
  if (!memory) return memory;
  const auto failed = [] { return tl::make_unexpected(system_error("writing the state")); };
  if (!memory->append(encode(preamble))) return failed();
  StateWriter writer([&memory](std::string_view bytes) { return memory->append(bytes); });
  host_.save(writer, stopped_at_);
  if (!writer.finish()) return failed();
  Preamble whole = preamble;
  whole.total_bytes = memory->bytes();
  if (!memory->overwrite_front(encode(whole)) || !memory->seal()) return failed();
  return memory;
}

void Upgrade::end() {
  check_.cancel();
  event_del(quiet_event_.get());
  if (phase_ == Phase::kQuieting) host_.take_in(true);
  if (phase_ == Phase::kChecking || phase_ == Phase::kQuieting) log_info("upgrade given up");
  phase_ = Phase::kEnded;
}

}  // namespace sluice::relay
