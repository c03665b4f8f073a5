#include "common/program.h"

#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace sluice {
namespace {

/// Where PATH is not set: as the shell has it.
constexpr const char* kUsualPath = "/usr/local/bin:/usr/bin:/bin";

/// Not resolved further: a symbolic link that is turned to a new version is one.
[[nodiscard]] std::string absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(path, error);
  return error ? std::string() : whole.string();
}

/// As the shell found it (execvp(3)). The kernel's own link would name the file that was there
/// then, which an upgrade has replaced.
[[nodiscard]] std::string look_up(const std::string& name) {
  if (name.find('/') != std::string::npos) return absolute(name);
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable == nullptr ? kUsualPath : variable;
  while (true) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    // An empty one is the working directory.
    const std::string candidate =
        std::string(directory.empty() ? std::string_view(".") : directory) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return absolute(candidate);
    if (directory.size() == rest.size()) return {};
    rest.remove_prefix(directory.size() + 1);
  }
}

/// For execve and posix_spawn: pointers into `texts`, and a null behind them.
[[nodiscard]] std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Signals as a program expects them, whatever this process ignores or blocks.
class CleanSignals {
 public:
  CleanSignals() {
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~CleanSignals() { ::posix_spawnattr_destroy(&attributes_); }
  CleanSignals(const CleanSignals&) = delete;
  CleanSignals& operator=(const CleanSignals&) = delete;
  [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace

Program::Program(int argc, char** argv, std::string_view internal_flag) {
  if (argc < 1) return;
  path_ = look_up(argv[0]);
  for (int i = 0; i < argc; ++i) {
    if (!internal_flag.empty() && internal_flag == argv[i]) {
      ++i;  // and its value
    } else {
      arguments_.emplace_back(argv[i]);
    }
  }
}

std::vector<std::string> Program::arguments(const std::vector<std::string>& more) const {
  std::vector<std::string> all = arguments_;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Error Program::execute(const std::vector<std::string>& more) const {
  std::vector<std::string> words = arguments(more);
  ::execve(path_.c_str(), pointers_to(words).data(), environ);
  return {ErrorCode::kSystem, path_ + ": " + std::strerror(errno)};
}

void hold_signals(bool hold) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int one : {SIGTERM, SIGINT, SIGUSR2, SIGHUP}) sigaddset(&signals, one);
  ::sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &signals, nullptr);
}

ProgramCheck::ProgramCheck(std::string path, pid_t child, UniqueFd fd)
    : path_(std::move(path)), child_(child), fd_(std::move(fd)) {
}

ProgramCheck::ProgramCheck(ProgramCheck&& other) noexcept
    : path_(std::move(other.path_)),
      child_(std::exchange(other.child_, -1)),
      fd_(std::move(other.fd_)) {
}

ProgramCheck& ProgramCheck::operator=(ProgramCheck&& other) noexcept {
  if (this == &other) return *this;
  end();
  path_ = std::move(other.path_);
  child_ = std::exchange(other.child_, -1);
  fd_ = std::move(other.fd_);
  return *this;
}

ProgramCheck::~ProgramCheck() {
  end();
}

void ProgramCheck::end() {
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  static_cast<void>(result());
}

Result<ProgramCheck> ProgramCheck::start(const Program& program) {
  if (program.path().empty())
    return fail(ErrorCode::kSystem, "the program that was started is not found by its name");
  const auto cannot = [&program](int error) {
    return fail(ErrorCode::kSystem, "running " + program.path() + ": " + std::strerror(error));
  };
  std::vector<std::string> words = program.arguments({"--check"});
  const CleanSignals signals;
  pid_t child = -1;
  const int error = ::posix_spawn(&child, program.path().c_str(), nullptr, signals.get(),
                                  pointers_to(words).data(), environ);
  if (error != 0) return cannot(error);
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  const int reason = errno;
  const bool watched = fd.valid();
  ProgramCheck check(program.path(), child, std::move(fd));
  if (!watched) return cannot(reason);
  return check;
}

Result<void> ProgramCheck::result() {
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(child_, &status, 0);
  } while (ended < 0 && errno == EINTR);
  child_ = -1;
  fd_.reset();
  const std::string what = path_ + " --check ";
  if (ended < 0) return fail(ErrorCode::kSystem, what + "has an unknown end");
  if (WIFSIGNALED(status))
    return fail(ErrorCode::kInvalid,
                what + "was ended by signal " + std::to_string(WTERMSIG(status)));
  if (WEXITSTATUS(status) == 0) return {};
  return fail(ErrorCode::kInvalid, what + "ended with code " + std::to_string(WEXITSTATUS(status)) +
                                       ": its own line above says why");
}

}  // namespace sluice
