#include "ctl/haproxy_lint/run_haproxy.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "common/clock.h"
#include "common/try_again.h"
#include "common/unique_fd.h"

namespace sluice::ctl {
namespace {

constexpr Duration kRunTimeMax = std::chrono::seconds(10);
constexpr std::size_t kOutputBytesMax = std::size_t{256} << 10U;

/// The child and what it says; killed when this ends before it.
class Child {
 public:
  Child(pid_t pid, UniqueFd output) : pid_(pid), output_(std::move(output)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    static_cast<void>(wait());
  }

  Result<HaproxyRun> run_to_end(Interrupts& interrupts) {
    HaproxyRun run;
    const TimePoint deadline = SteadyTime().now() + kRunTimeMax;
    for (;;) {
      const Duration left = std::max(deadline - SteadyTime().now(), Duration::zero());
      const Wake wake = interrupts.wait(output_.get(), POLLIN, left);
      if (wake == Wake::kTimeout) return fail(ErrorCode::kUnavailable, "took more than 10 s");
      if (wake == Wake::kResized) continue;
      if (wake != Wake::kReady) return fail(ErrorCode::kUnavailable, "interrupted");
      std::array<char, 4096> chunk;
      const ssize_t n = ::read(output_.get(), chunk.data(), chunk.size());
      if (n == 0) break;
      if (n < 0 && try_again(errno)) continue;
      if (n < 0) return fail(ErrorCode::kSystem, std::strerror(errno));
      run.output.append(chunk.data(), static_cast<std::size_t>(n));
      if (run.output.size() > kOutputBytesMax)
        return fail(ErrorCode::kTooLarge, "says more than 256 KiB");
    }
    run.code = wait();
    return run;
  }

 private:
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  pid_t pid_;
  UniqueFd output_;
};

/// `haproxy -c -f FILE` with its output to `out`, and with none of our signals blocked.
Result<pid_t> spawn(const std::string& program, const std::string& file, int out) {
  // Behind -f a name that begins with a dash is a file too, but no reader should have to know.
  std::string words[] = {program, "-c", "-f", file.starts_with('-') ? "./" + file : file};
  char* argv[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv, environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(ErrorCode::kSystem, std::strerror(error));
  return pid;
}

bool runnable(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::string find_haproxy() {
  const char* path = std::getenv("PATH");
  std::string places = path != nullptr ? path : "";
  places += ":/usr/local/sbin:/usr/sbin";
  for (std::string_view rest = places; !rest.empty();) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    std::string program = std::string(rest.substr(0, end)) + "/haproxy";
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (program.front() == '/' && program != "/haproxy" && runnable(program)) return program;
  }
  return {};
}

Result<HaproxyRun> run_haproxy_check(const std::string& program, const std::string& file,
                                     Interrupts& interrupts) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::kSystem, std::strerror(errno));
  UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  auto pid = spawn(program, file, in.get());
  if (!pid) return tl::make_unexpected(pid.error());
  // Ours would keep the pipe open after the child's end.
  in.reset();
  return Child(*pid, std::move(out)).run_to_end(interrupts);
}

}  // namespace sluice::ctl
