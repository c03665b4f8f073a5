// The gateway's one event loop: owner of a libev loop, and watchers whose life is their object's.
// libwebsockets attaches to the same loop (raw()). All of it belongs to one thread.
//
// Every watcher may be destroyed inside its own callback. A callback must not throw.
#pragma once

#include <ev.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "common/clock.h"

namespace sluice::gateway {

class EndOfTurn;

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs until stop().
  void run();
  /// One turn. wait: sleeps until something happens.
  void run_once(bool wait = true);
  /// Ends run() at the end of the turn under way.
  void stop();
  /// Runs `task` once when this turn's events have been handled, before the loop sleeps. What a
  /// task defers runs in the next turn, which then does not sleep.
  void defer(std::function<void()> task);
  /// Before the last of our descriptors of a socket is closed that another process holds as well:
  /// the kernel would go on telling of it, and libev, which takes that for a fault of its epoll
  /// set, would make a new one with all descriptors of the process each time. Its watchers are
  /// stopped. Does nothing where the loop does not run on epoll.
  void forget(int fd) const;

  [[nodiscard]] struct ev_loop* raw() const { return loop_; }

 private:
  friend class EndOfTurn;

  static void on_prepare(struct ev_loop* loop, ev_prepare* watcher, int events) noexcept;
  static void on_idle(struct ev_loop* loop, ev_idle* watcher, int events) noexcept;
  void end_turn();

  int epoll_fd_ = -1;  ///< libev's own, which it does not tell; -1: unknown
  struct ev_loop* loop_;
  ev_prepare prepare_{};
  ev_idle idle_{};  ///< active while tasks wait: keeps the loop from sleeping
  std::vector<std::function<void()>> deferred_;
  std::vector<std::function<void()>> running_;
  std::vector<EndOfTurn*> hooks_;  ///< null: gone, to be taken out at the end of the next turn
};

/// What a descriptor is watched for, and found ready for.
using IoEvents = unsigned;
inline constexpr IoEvents kIoNone = 0;
inline constexpr IoEvents kIoRead = 1;
inline constexpr IoEvents kIoWrite = 2;

/// The lifetime rule of all watchers: the callback lives in the trampoline while it runs, and goes
/// back to the watcher if the watcher is still there.
template <typename Signature>
class WatcherCallback;

template <typename... Args>
class WatcherCallback<void(Args...)> {
 public:
  explicit WatcherCallback(std::function<void(Args...)> function)
      : function_(std::move(function)) {}
  WatcherCallback(const WatcherCallback&) = delete;
  WatcherCallback& operator=(const WatcherCallback&) = delete;
  ~WatcherCallback() {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }
  void operator()(Args... args) {
    bool destroyed = false;
    destroyed_ = &destroyed;
    std::function<void(Args...)> running = std::move(function_);
    running(args...);
    if (destroyed) return;
    destroyed_ = nullptr;
    function_ = std::move(running);
  }

 private:
  std::function<void(Args...)> function_;
  bool* destroyed_ = nullptr;
};

/// Watches a descriptor that somebody else owns; stop or destroy it before the descriptor is
/// closed.
class IoWatcher {
 public:
  IoWatcher(EventLoop& loop, int fd, std::function<void(IoEvents ready)> callback);
  ~IoWatcher();
  IoWatcher(const IoWatcher&) = delete;
  IoWatcher& operator=(const IoWatcher&) = delete;

  /// From now on for these; kIoNone stops. A new watcher watches for nothing.
  void watch(IoEvents events);

 private:
  static void on_event(struct ev_loop* loop, ev_io* watcher, int events) noexcept;

  struct ev_loop* loop_;
  ev_io io_{};
  WatcherCallback<void(IoEvents)> callback_;
};

class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Both replace what was set before. `after` counts from the call, however long this turn has
  /// been running.
  void start_once(Duration after);
  void start_every(Duration interval);
  void stop();
  [[nodiscard]] bool active() const { return ev_is_active(&timer_); }

 private:
  static void on_event(struct ev_loop* loop, ev_timer* watcher, int events) noexcept;
  void start(Duration after, Duration repeat);

  struct ev_loop* loop_;
  ev_timer timer_{};
  WatcherCallback<void()> callback_;
};

/// A signal, delivered as an event. One loop of the process may watch signals.
class SignalWatcher {
 public:
  SignalWatcher(EventLoop& loop, int signal_number, std::function<void()> callback);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  static void on_event(struct ev_loop* loop, ev_signal* watcher, int events) noexcept;

  struct ev_loop* loop_;
  ev_signal signal_{};
  WatcherCallback<void()> callback_;
};

/// Called at the end of every turn: when its events have been handled and deferred tasks have run,
/// before the loop sleeps. Several are called in the order in which they were made. They must not
/// outlive the loop.
class EndOfTurn {
 public:
  EndOfTurn(EventLoop& loop, std::function<void()> callback);
  ~EndOfTurn();
  EndOfTurn(const EndOfTurn&) = delete;
  EndOfTurn& operator=(const EndOfTurn&) = delete;

 private:
  friend class EventLoop;

  EventLoop& loop_;
  WatcherCallback<void()> callback_;
};

}  // namespace sluice::gateway
