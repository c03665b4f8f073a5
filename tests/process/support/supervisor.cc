// Waits on a pidfd, starts again.
#include "tests/process/support/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sluice::test {

Supervisor::Supervisor(SpawnOptions program, std::size_t starts_max)
    : program_(std::move(program)), starts_max_(starts_max) {
  thread_ = std::thread([this] { run(); });
  wait_started(1);
}

Supervisor::~Supervisor() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    send(SIGKILL);
  }
  thread_.join();
}

/// With the lock held: the process can't be reaped meanwhile, so its number is still its own.
void Supervisor::send(int signal) {
  if (up_) ::kill(lives_.back().pid, signal);
}

void Supervisor::restart(int signal) {
  const std::lock_guard lock(mutex_);
  if (!up_) throw HarnessError(program_.args[0] + " is not running: nothing to restart");
  restart_ = true;
  send(signal);
}

void Supervisor::signal(int signal) {
  const std::lock_guard lock(mutex_);
  if (!up_) throw HarnessError(program_.args[0] + " is not running: no signal");
  send(signal);
}

ExitStatus Supervisor::stop(Millis wait) {
  std::unique_lock lock(mutex_);
  stop_ = true;
  send(SIGTERM);
  if (!changed_.wait_for(lock, wait, [this] { return !up_; }))
    throw HarnessError(program_.args[0] + " does not stop");
  return lives_.back().status;
}

void Supervisor::wait_started(std::size_t count, Millis wait) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, wait, [&] { return lives_.size() >= count; }))
    throw HarnessError(program_.args[0] + " was not started again");
}

std::size_t Supervisor::starts() {
  const std::lock_guard lock(mutex_);
  return lives_.size();
}

Life Supervisor::life(std::size_t start) {
  const std::lock_guard lock(mutex_);
  return lives_.at(start - 1);
}

pid_t Supervisor::pid() {
  const std::lock_guard lock(mutex_);
  return lives_.back().pid;
}

bool Supervisor::running() {
  const std::lock_guard lock(mutex_);
  return up_;
}

std::shared_ptr<Process> Supervisor::process() {
  const std::lock_guard lock(mutex_);
  return process_;
}

UniqueFd Supervisor::start() {
  auto process = std::make_shared<Process>(program_);
  // By its number: the header of glibc 2.36 is not made for C++.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process->pid(), 0)));
  if (!pidfd.valid()) throw_errno("pidfd_open");
  Life life;
  life.pid = process->pid();
  life.started = SteadyClock::now();
  const std::lock_guard lock(mutex_);
  lives_.push_back(life);
  process_.swap(process);  // the one before is destroyed when the lock is gone
  up_ = true;
  // A stop or the end of the test that came between two processes.
  if (stop_) send(SIGKILL);
  changed_.notify_all();
  return pidfd;
}

/// Waits for the end and notes it; true: it is to be started again.
bool Supervisor::ended(const UniqueFd& pidfd) {
  pollfd entry{pidfd.get(), POLLIN, 0};
  while (::poll(&entry, 1, -1) < 0) {
  }
  const std::lock_guard lock(mutex_);
  (void)process_->running();  // reaps it
  Life& life = lives_.back();
  life.ended = SteadyClock::now();
  life.status = process_->ended().value_or(ExitStatus{});
  life.cpu = process_->cpu_of_life();
  up_ = false;
  const bool failed = life.status.code != 0;
  const bool again = !stop_ && (restart_ || failed) && lives_.size() < starts_max_;
  restart_ = false;
  changed_.notify_all();
  return again;
}

void Supervisor::run() {
  while (ended(start())) {
  }
}

}  // namespace sluice::test
