// Child processes: fork and exec, a reader thread per child so that no child ever waits for the
// test to read.
#include "tests/process/support/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace sluice::test {
namespace {

constexpr std::size_t kLinesShown = 60;
constexpr int kFdParking = 200;  ///< where descriptors wait while their numbers are dealt out

/// Everything that the child needs, made before fork: after it only system calls are allowed.
struct Image {
  std::vector<char*> argv;
  std::vector<std::string> env_text;
  std::vector<char*> envp;
  std::vector<std::pair<int, int>> fds;
};

Image make_image(SpawnOptions& options) {
  Image image;
  for (auto& arg : options.args) image.argv.push_back(arg.data());
  image.argv.push_back(nullptr);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    if ((name.rfind("SLUICE_", 0) == 0 && name != kBuildVariable) || options.env.contains(name))
      continue;
    image.env_text.push_back(text);
  }
  for (const auto& [name, value] : options.env)
    image.env_text.push_back(std::string(name).append("=").append(value));
  // The whole run over one of the gateway's senders.
  if (const char* sender = std::getenv("SLUICE_TEST_IO_URING");
      sender != nullptr && !options.env.contains("SLUICE_GATEWAY_IO_URING"))
    image.env_text.push_back(std::string("SLUICE_GATEWAY_IO_URING=").append(sender));
  for (auto& text : image.env_text) image.envp.push_back(text.data());
  image.envp.push_back(nullptr);
  image.fds.assign(options.fds.begin(), options.fds.end());
  return image;
}

[[noreturn]] void become(const SpawnOptions& options, const Image& image, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  int parked = kFdParking;
  for (const auto& entry : image.fds) ::dup2(entry.second, parked++);
  parked = kFdParking;
  for (const auto& entry : image.fds) {
    ::dup2(parked, entry.first);
    ::close(parked++);
  }
  if (options.nofile > 0) {
    const rlimit limit{options.nofile, options.nofile};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(126);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execve(image.argv[0], image.argv.data(), image.envp.data());
  static constexpr char kText[] = "exec failed\n";
  (void)!::write(STDERR_FILENO, kText, sizeof kText - 1);
  ::_exit(127);
}

/// Invalid when nobody asked for log files.
UniqueFd open_log(const std::string& program, pid_t pid) {
  const char* directory = std::getenv("SLUICE_TEST_LOGS");
  if (directory == nullptr) return {};
  const std::string path = std::string(directory) + "/" + program.substr(program.rfind('/') + 1) +
                           "." + std::to_string(pid) + ".log";
  return UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
}

}  // namespace

Process::Process(SpawnOptions options) : options_(std::move(options)) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe2");
  output_.reset(ends[0]);
  const UniqueFd child_end(ends[1]);
  const Image image = make_image(options_);
  pid_ = ::fork();
  if (pid_ < 0) throw_errno("fork");
  if (pid_ == 0) become(options_, image, child_end.get());
  log_ = open_log(options_.args[0], pid_);
  reader_ = std::thread([this] { read_output(); });
}

Process::~Process() {
  const bool ended_before = status_.has_value();
  kill();
  // A grandchild may still hold the pipe: closing our end is not enough to end a read, so the
  // reader polls `ended_`.
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  reader_.join();
  if (!::testing::Test::HasFailure()) return;
  std::cerr << "--- " << options_.args[0] << " pid " << pid_ << (ended_before ? " (had ended)" : "")
            << ", last lines:\n";
  const std::size_t first = lines_.size() > kLinesShown ? lines_.size() - kLinesShown : 0;
  for (std::size_t i = first; i < lines_.size(); ++i) std::cerr << "  " << lines_[i] << "\n";
}

void Process::read_output() {
  std::string pending;
  char buffer[16384];
  while (true) {
    pollfd entry{output_.get(), POLLIN, 0};
    if (::poll(&entry, 1, 50) == 0) {
      const std::lock_guard lock(mutex_);
      if (ended_) break;
      continue;
    }
    const ssize_t got = ::read(output_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (log_.valid()) (void)!::write(log_.get(), buffer, static_cast<std::size_t>(got));
    pending.append(buffer, static_cast<std::size_t>(got));
    const std::lock_guard lock(mutex_);
    for (std::size_t end; (end = pending.find('\n')) != std::string::npos;) {
      lines_.push_back(pending.substr(0, end));
      pending.erase(0, end + 1);
    }
    changed_.notify_all();
  }
  const std::lock_guard lock(mutex_);
  if (!pending.empty()) lines_.push_back(pending);
  ended_ = true;
  changed_.notify_all();
}

std::vector<std::string> Process::wait_line(const std::string& pattern, Millis wait,
                                            std::size_t from) {
  const std::regex expression(pattern);
  const Deadline deadline = Deadline::in(wait);
  std::unique_lock lock(mutex_);
  while (true) {
    for (; from < lines_.size(); ++from) {
      std::smatch match;
      if (!std::regex_search(lines_[from], match, expression)) continue;
      std::vector<std::string> groups{lines_[from]};
      for (std::size_t i = 1; i < match.size(); ++i) groups.push_back(match[i].str());
      return groups;
    }
    if (ended_) throw HarnessError(options_.args[0] + " ended without a line like: " + pattern);
    if (changed_.wait_until(lock, deadline.at()) == std::cv_status::timeout &&
        from == lines_.size()) {
      throw HarnessError(options_.args[0] + " logged no line like: " + pattern);
    }
  }
}

std::vector<std::string> Process::lines(const std::string& pattern, std::size_t from) {
  const std::regex expression(pattern);
  const std::lock_guard lock(mutex_);
  std::vector<std::string> found;
  for (std::size_t i = from; i < lines_.size(); ++i) {
    if (std::regex_search(lines_[i], expression)) found.push_back(lines_[i]);
  }
  return found;
}

std::size_t Process::mark() {
  const std::lock_guard lock(mutex_);
  return lines_.size();
}

std::string Process::output() {
  std::string all;
  for (const auto& line : lines()) all += line + "\n";
  return all;
}

void Process::signal(int number) {
  if (!status_ && ::kill(pid_, number) != 0) throw_errno("kill");
}

void Process::limit_descriptors(std::uint64_t count) {
  rlimit limit{};
  if (::prlimit(pid_, RLIMIT_NOFILE, nullptr, &limit) != 0) throw_errno("prlimit");
  limit.rlim_cur = count;
  if (::prlimit(pid_, RLIMIT_NOFILE, &limit, nullptr) != 0) throw_errno("prlimit");
}

bool Process::running() {
  if (status_) return false;
  int raw = 0;
  rusage used{};
  if (::wait4(pid_, &raw, WNOHANG, &used) != pid_) return true;
  for (const timeval& part : {used.ru_utime, used.ru_stime})
    cpu_of_life_ += std::chrono::seconds(part.tv_sec) + std::chrono::microseconds(part.tv_usec);
  status_ = WIFEXITED(raw) ? ExitStatus{WEXITSTATUS(raw), 0} : ExitStatus{-1, WTERMSIG(raw)};
  return false;
}

void Process::kill() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  (void)wait_exit(10s);
}

ExitStatus Process::wait_exit(Millis wait) {
  if (!eventually(wait, [this] { return !running(); })) {
    throw HarnessError(options_.args[0] + " has not ended");
  }
  // Its last words: wait for the end of the output, which a grandchild may keep from coming.
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, 500ms, [this] { return ended_; });
  return *status_;
}

std::uint64_t Process::status_field(const std::string& name) const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(name + ":", 0) == 0) return std::stoull(line.substr(name.size() + 1)) * 1024;
  }
  throw HarnessError("no " + name + " of pid " + std::to_string(pid_));
}

std::uint64_t Process::rss_bytes() const {
  return status_field("VmRSS");
}

std::uint64_t Process::anonymous_bytes() const {
  return status_field("RssAnon");
}

std::uint64_t Process::peak_rss_bytes() const {
  return status_field("VmHWM");
}

void Process::reset_peak() {
  std::ofstream("/proc/" + std::to_string(pid_) + "/clear_refs") << "5";  // proc(5)
}

std::size_t Process::fd_count() const {
  const std::filesystem::directory_iterator entries("/proc/" + std::to_string(pid_) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

Millis Process::cpu_time() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/stat");
  std::string line;
  std::getline(in, line);
  // The name in brackets may hold anything: the fields count from behind it; utime is the 12th.
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  long user = 0;
  long system = 0;
  if (!(fields >> user >> system)) throw HarnessError("no times of pid " + std::to_string(pid_));
  return Millis((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

Finished run(SpawnOptions options, Millis wait) {
  Process process(std::move(options));
  const ExitStatus status = process.wait_exit(wait);
  return {status, process.output()};
}

}  // namespace sluice::test
