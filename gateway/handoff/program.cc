#include "gateway/handoff/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

[[nodiscard]] bool executable(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

/// As the shell found it (execvp(3)). The kernel's own link would name the file that was there
/// then, which an upgrade has replaced.
[[nodiscard]] std::string look_up(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    const std::unique_ptr<char, decltype(&std::free)> whole(::realpath(name.c_str(), nullptr),
                                                            &std::free);
    if (name.front() == '/' || whole == nullptr) return name;
    return whole.get();
  }
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable != nullptr ? variable : "/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    std::string path = std::string(rest.substr(0, colon)) + "/" + name;
    if (executable(path)) return path;
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  return name;
}

[[nodiscard]] std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Program::Program(EventLoop& loop, std::vector<std::string> arguments)
    : loop_(loop),
      arguments_(std::move(arguments)),
      path_(look_up(arguments_.front())),
      deadline_(loop, [this] { too_slow(); }) {
}

Program::~Program() {
  if (child_ != 0) ::kill(child_, SIGKILL);
}

Result<void> Program::check(OnChecked checked) {
  if (child_ != 0) return fail(ErrorCode::kInUse, "the program is being checked already");
  std::vector<std::string> words = arguments_;
  words.emplace_back("--check");
  const std::vector<char*> argv = pointers_to(words);
  // Signals as a program expects them; this process ignores SIGPIPE.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  const int error =
      ::posix_spawn(&child, path_.c_str(), nullptr, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(ErrorCode::kSystem, path_ + ": " + std::strerror(error));
  child_ = child;
  child_fd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!child_fd_.valid()) {
    const std::string why = std::strerror(errno);
    ::kill(child_, SIGKILL);
    ::waitpid(std::exchange(child_, 0), nullptr, 0);
    return fail(ErrorCode::kSystem, "pidfd_open: " + why);
  }
  checked_ = std::move(checked);
  ended_.emplace(loop_, child_fd_.get(), [this](IoEvents) { finished(); });
  ended_->watch(kIoRead);
  deadline_.start_once(kProgramCheckWait);
  return {};
}

void Program::finished() {
  int status = 0;
  if (::waitpid(child_, &status, 0) != child_) return report(fail(ErrorCode::kSystem, "waitpid"));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return report({});
  report(fail(ErrorCode::kInvalid,
              WIFEXITED(status)
                  ? path_ + " --check ended with " + std::to_string(WEXITSTATUS(status)) +
                        ": its own line above says why"
                  : path_ + " --check was ended by signal " + std::to_string(WTERMSIG(status))));
}

void Program::too_slow() {
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
  report(fail(ErrorCode::kUnavailable, path_ + " --check does not end"));
}

void Program::report(Result<void> result) {
  deadline_.stop();
  ended_.reset();
  child_fd_.reset();
  child_ = 0;
  const OnChecked checked = std::exchange(checked_, nullptr);
  checked(std::move(result));
}

Error Program::execute() const {
  std::vector<std::string> words = arguments_;
  const std::vector<char*> argv = pointers_to(words);
  // Blocked signals and ignored ones stay so across an execution; the new program sets its own.
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(path_.c_str(), argv.data());
  return {ErrorCode::kSystem, path_ + ": " + std::strerror(errno)};
}

}  // namespace sluice::gateway
