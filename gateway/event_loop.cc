#include "gateway/event_loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "common/check.h"

namespace sluice::gateway {
namespace {

[[nodiscard]] int to_libev(IoEvents events) {
  return ((events & kIoRead) != 0 ? EV_READ : 0) | ((events & kIoWrite) != 0 ? EV_WRITE : 0);
}

[[nodiscard]] IoEvents from_libev(int events) {
  return ((events & EV_READ) != 0 ? kIoRead : kIoNone) |
         ((events & EV_WRITE) != 0 ? kIoWrite : kIoNone);
}

/// The number that the next descriptor will get.
[[nodiscard]] int next_descriptor() {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
  return fd;
}

[[nodiscard]] bool is_epoll(int fd) {
  std::array<char, 64> target;
  const std::string name = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t n = ::readlink(name.c_str(), target.data(), target.size());
  return n > 0 &&
         std::string_view(target.data(), static_cast<std::size_t>(n)) == "anon_inode:[eventpoll]";
}

}  // namespace

// The environment (LIBEV_FLAGS) has no say in how the daemon works.
EventLoop::EventLoop()
    : epoll_fd_(next_descriptor()), loop_(ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV)) {
  CHECK(loop_ != nullptr);
  if (ev_backend(loop_) != EVBACKEND_EPOLL || !is_epoll(epoll_fd_)) epoll_fd_ = -1;
  ev_prepare_init(&prepare_, on_prepare);
  prepare_.data = this;
  ev_prepare_start(loop_, &prepare_);
  ev_idle_init(&idle_, on_idle);
}

EventLoop::~EventLoop() {
  ev_idle_stop(loop_, &idle_);
  ev_prepare_stop(loop_, &prepare_);
  // Tasks may own watchers of this loop.
  deferred_.clear();
  ev_loop_destroy(loop_);
}

void EventLoop::run() {
  ev_run(loop_, 0);
}

void EventLoop::run_once(bool wait) {
  ev_run(loop_, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
}

void EventLoop::stop() {
  ev_break(loop_, EVBREAK_ALL);
}

void EventLoop::defer(std::function<void()> task) {
  deferred_.push_back(std::move(task));
}

void EventLoop::forget(int fd) const {
  // Of a descriptor that epoll has not heard of yet it says so, and nothing happens.
  if (epoll_fd_ >= 0) ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::on_prepare(struct ev_loop* /*loop*/, ev_prepare* watcher, int /*events*/) noexcept {
  static_cast<EventLoop*>(watcher->data)->end_turn();
}

void EventLoop::on_idle(struct ev_loop* /*loop*/, ev_idle* /*watcher*/, int /*events*/) noexcept {
}

// One prepare watcher for all: libev promises no order among several, and what a task brings about
// must not miss the hooks that flush it.
void EventLoop::end_turn() {
  running_.swap(deferred_);
  for (auto& task : running_) task();
  running_.clear();
  // Hooks may make and destroy hooks.
  for (std::size_t i = 0; i < hooks_.size(); ++i) {
    if (hooks_[i] != nullptr) hooks_[i]->callback_();
  }
  std::erase(hooks_, nullptr);
  if (deferred_.empty()) {
    ev_idle_stop(loop_, &idle_);
  } else {
    ev_idle_start(loop_, &idle_);
  }
}

IoWatcher::IoWatcher(EventLoop& loop, int fd, std::function<void(IoEvents ready)> callback)
    : loop_(loop.raw()), callback_(std::move(callback)) {
  ev_io_init(&io_, on_event, fd, 0);
  io_.data = this;
}

IoWatcher::~IoWatcher() {
  ev_io_stop(loop_, &io_);
}

void IoWatcher::watch(IoEvents events) {
  const int wanted = to_libev(events);
  if (ev_is_active(&io_) && (io_.events & (EV_READ | EV_WRITE)) == wanted) return;
  ev_io_stop(loop_, &io_);
  if (wanted == 0) return;
  ev_io_set(&io_, io_.fd, wanted);
  ev_io_start(loop_, &io_);
}

void IoWatcher::on_event(struct ev_loop* /*loop*/, ev_io* watcher, int events) noexcept {
  static_cast<IoWatcher*>(watcher->data)->callback_(from_libev(events));
}

Timer::Timer(EventLoop& loop, std::function<void()> callback)
    : loop_(loop.raw()), callback_(std::move(callback)) {
  ev_timer_init(&timer_, on_event, 0., 0.);
  timer_.data = this;
}

Timer::~Timer() {
  stop();
}

void Timer::start_once(Duration after) {
  start(after, Duration::zero());
}

void Timer::start_every(Duration interval) {
  CHECK(interval > Duration::zero());
  start(interval, interval);
}

void Timer::start(Duration after, Duration repeat) {
  ev_timer_stop(loop_, &timer_);
  // libev counts from the time at which the turn began.
  ev_now_update(loop_);
  ev_timer_set(&timer_, in_seconds(after), in_seconds(repeat));
  ev_timer_start(loop_, &timer_);
}

void Timer::stop() {
  ev_timer_stop(loop_, &timer_);
}

void Timer::on_event(struct ev_loop* /*loop*/, ev_timer* watcher, int /*events*/) noexcept {
  static_cast<Timer*>(watcher->data)->callback_();
}

SignalWatcher::SignalWatcher(EventLoop& loop, int signal_number, std::function<void()> callback)
    : loop_(loop.raw()), callback_(std::move(callback)) {
  ev_signal_init(&signal_, on_event, signal_number);
  signal_.data = this;
  ev_signal_start(loop_, &signal_);
}

SignalWatcher::~SignalWatcher() {
  ev_signal_stop(loop_, &signal_);
}

void SignalWatcher::on_event(struct ev_loop* /*loop*/, ev_signal* watcher,
                             int /*events*/) noexcept {
  static_cast<SignalWatcher*>(watcher->data)->callback_();
}

EndOfTurn::EndOfTurn(EventLoop& loop, std::function<void()> callback)
    : loop_(loop), callback_(std::move(callback)) {
  loop_.hooks_.push_back(this);
}

EndOfTurn::~EndOfTurn() {
  std::replace(loop_.hooks_.begin(), loop_.hooks_.end(), this, static_cast<EndOfTurn*>(nullptr));
}

}  // namespace sluice::gateway
