#include "relay/handover/program_check.h"

#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include "common/units.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

/// Readable once the process has ended.
UniqueFd open_process(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace

ProgramCheck::ProgramCheck(event_base* base, const Program& program, Done done)
    : base_(base),
      program_(program),
      done_(std::move(done)),
      late_event_(make_event<&ProgramCheck::on_late>(base, -1, 0, this)) {
}

ProgramCheck::~ProgramCheck() {
  cancel();
}

Result<void> ProgramCheck::start() {
  const auto cannot = [this](int error) {
    return fail(ErrorCode::kSystem, "running " + program_.path() + ": " + std::strerror(error));
  };
  if (program_.path().empty())
    return fail(ErrorCode::kSystem, "the program that was started is not found by its name");
  std::vector<std::string> texts = program_.arguments({"--check"});
  // Everything of ours is close-on-exec; its word about what is wrong goes where ours go.
  const int error = ::posix_spawn(&child_, program_.path().c_str(), nullptr, nullptr,
                                  argument_pointers(texts).data(), environ);
  if (error != 0) {
    child_ = -1;
    return cannot(error);
  }
  child_fd_ = open_process(child_);
  if (!child_fd_.valid()) {
    const int reason = errno;
    cancel();
    return cannot(reason);
  }
  ended_event_ = make_event<&ProgramCheck::on_ended>(base_, child_fd_.get(), EV_READ, this);
  event_add(ended_event_.get(), nullptr);
  const timeval wait = to_timeval(kProgramCheckWait);
  event_add(late_event_.get(), &wait);
  return {};
}

std::string ProgramCheck::reap() {
  event_del(late_event_.get());
  ended_event_.reset();
  child_fd_.reset();
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(child_, &status, 0);
  } while (ended < 0 && errno == EINTR);
  child_ = -1;
  if (ended < 0) return std::string("its end is unknown: ") + std::strerror(errno);
  if (WIFSIGNALED(status)) return "it was ended by signal " + std::to_string(WTERMSIG(status));
  const int code = WEXITSTATUS(status);
  return code == 0 ? std::string() : "its --check ended with code " + std::to_string(code);
}

void ProgramCheck::cancel() {
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  (void)reap();
}

void ProgramCheck::on_ended() {
  done_(reap());
}

void ProgramCheck::on_late() {
  cancel();
  done_("its --check took longer than " + format_duration(kProgramCheckWait));
}

}  // namespace sluice::relay
