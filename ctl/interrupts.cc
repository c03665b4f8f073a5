#include "ctl/interrupts.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "common/check.h"

namespace sluice::ctl {

Interrupts::Interrupts(int output) : output_(output) {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) sigaddset(&wanted, number);
  CHECK(sigprocmask(SIG_BLOCK, &wanted, nullptr) == 0);
  signals_.reset(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  CHECK(signals_.valid());
}

Wake Interrupts::take_signals() {
  bool resized = false;
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGWINCH) {
      resized = true;
    } else {
      ended_ = true;
    }
  }
  if (ended_) return Wake::kEnded;
  return resized ? Wake::kResized : Wake::kReady;
}

Wake Interrupts::wait(int fd, short events, Duration time) {
  if (ended_) return Wake::kEnded;
  const TimePoint begin = SteadyTime().now();
  for (;;) {
    int timeout = -1;
    if (time >= Duration::zero()) {
      const Duration left = std::max(time - (SteadyTime().now() - begin), Duration::zero());
      const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
      timeout = static_cast<int>(std::min<std::int64_t>(ms, 1 << 30));
    }
    pollfd polled[] = {{signals_.get(), POLLIN, 0}, {fd, events, 0}, {output_, 0, 0}};
    const int count = ::poll(polled, 3, timeout);
    if (count < 0 && errno == EINTR) continue;
    CHECK(count >= 0);
    if (polled[0].revents != 0) {
      if (const Wake what = take_signals(); what != Wake::kReady) return what;
    }
    if (polled[2].revents != 0) return Wake::kOutputGone;
    if (polled[1].revents != 0) return Wake::kReady;
    if (count == 0) return Wake::kTimeout;
  }
}

}  // namespace sluice::ctl
