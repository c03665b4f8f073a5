// Watchers: what they report, and that each may be destroyed inside its own callback.
#include "gateway/event_loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;

struct Pair {
  Pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    a = UniqueFd(fds[0]);
    b = UniqueFd(fds[1]);
  }
  UniqueFd a;
  UniqueFd b;
};

TEST(EventLoop, ReportsWhatIsWatched) {
  EventLoop loop;
  Pair pair;
  IoEvents seen = kIoNone;
  IoWatcher watcher(loop, pair.a.get(), [&](IoEvents ready) { seen |= ready; });
  loop.run_once(false);
  EXPECT_EQ(seen, kIoNone);
  watcher.watch(kIoRead | kIoWrite);
  loop.run_once(false);
  EXPECT_EQ(seen, kIoWrite);
  ASSERT_EQ(::send(pair.b.get(), "x", 1, 0), 1);
  watcher.watch(kIoRead);
  seen = kIoNone;
  loop.run_once();
  EXPECT_EQ(seen, kIoRead);
  watcher.watch(kIoNone);
  seen = kIoNone;
  loop.run_once(false);
  EXPECT_EQ(seen, kIoNone);
}

/// What libev gives its epoll set: (ev.data.u64 >> 32) grows when it makes a new one, and
/// /proc/self/fdinfo shows it as "data: 100000004".
std::string epoll_entries() {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(entry.path());
    for (std::string line; std::getline(info, line);)
      if (line.starts_with("tfd:")) all += line + "\n";
  }
  return all;
}

TEST(EventLoop, ForgetsASocketThatOthersKeep) {
  EventLoop loop;
  Pair stays;
  IoWatcher other(loop, stays.a.get(), [](IoEvents) {});
  other.watch(kIoRead);
  loop.run_once(false);
  const std::string before = epoll_entries();
  ASSERT_NE(before, "");
  Pair pair;
  const UniqueFd keeper(::dup(pair.a.get()));
  {
    IoWatcher watcher(loop, pair.a.get(), [](IoEvents) {});
    watcher.watch(kIoRead);
    loop.run_once(false);
    EXPECT_NE(epoll_entries(), before);
  }
  loop.forget(pair.a.get());
  pair.a.reset();
  pair.b.reset();  // the keeper's end hangs up: epoll would tell
  loop.run_once(false);
  EXPECT_EQ(epoll_entries(), before);  // the same set, without the socket
  // The number serves again.
  Pair next;
  IoEvents seen = kIoNone;
  IoWatcher watcher(loop, next.a.get(), [&](IoEvents ready) { seen |= ready; });
  watcher.watch(kIoWrite);
  loop.run_once(false);
  EXPECT_EQ(seen, kIoWrite);
}

TEST(EventLoop, IoWatcherMayDestroyItself) {
  EventLoop loop;
  Pair pair;
  std::unique_ptr<IoWatcher> watcher;
  // Captured by value and used after the watcher is gone: the callback must live on while it runs.
  const std::string text(100, 'x');
  std::string seen;
  watcher = std::make_unique<IoWatcher>(loop, pair.a.get(), [&, text](IoEvents) {
    watcher.reset();
    seen = text;
  });
  watcher->watch(kIoWrite);
  loop.run_once();
  EXPECT_EQ(seen, text);
  loop.run_once(false);
}

TEST(EventLoop, TimerMayDestroyItselfAndRunsUntilStopped) {
  EventLoop loop;
  int ticks = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(loop, [&] {
    if (++ticks < 3) return;
    timer.reset();
    loop.stop();
  });
  timer->start_every(milliseconds(1));
  loop.run();
  EXPECT_EQ(ticks, 3);
}

TEST(EventLoop, TimerMayStartItselfAgain) {
  EventLoop loop;
  int fired = 0;
  Timer timer(loop, [&] {
    if (++fired == 2) return loop.stop();
    timer.start_once(milliseconds(1));
  });
  timer.start_once(Duration::zero());
  EXPECT_TRUE(timer.active());
  loop.run();
  EXPECT_EQ(fired, 2);
  EXPECT_FALSE(timer.active());
}

TEST(EventLoop, TimerCountsFromTheCall) {
  EventLoop loop;
  const TimePoint begin = SteadyTime().now();
  // A turn that takes its time: the loop's own idea of now is old by then.
  while (SteadyTime().now() - begin < milliseconds(20)) {
  }
  const TimePoint started = SteadyTime().now();
  Timer timer(loop, [&] { loop.stop(); });
  timer.start_once(milliseconds(10));
  loop.run();
  EXPECT_GE(SteadyTime().now() - started, milliseconds(9));
}

TEST(EventLoop, StoppedTimerStaysSilent) {
  EventLoop loop;
  bool fired = false;
  Timer timer(loop, [&] { fired = true; });
  timer.start_once(Duration::zero());
  timer.stop();
  loop.run_once(false);
  EXPECT_FALSE(fired);
}

TEST(EventLoop, TurnEndsWithTasksThenHooksInOrder) {
  EventLoop loop;
  std::string order;
  EndOfTurn first(loop, [&] { order += "1"; });
  EndOfTurn second(loop, [&] { order += "2"; });
  loop.defer([&] { order += "t"; });
  loop.run_once(false);
  EXPECT_EQ(order, "t12");
}

TEST(EventLoop, HooksMayMakeAndDestroyHooks) {
  EventLoop loop;
  std::string order;
  std::unique_ptr<EndOfTurn> first;
  std::unique_ptr<EndOfTurn> second;
  std::vector<std::unique_ptr<EndOfTurn>> made;
  first = std::make_unique<EndOfTurn>(loop, [&] {
    order += "1";
    second.reset();
    for (int i = 0; i < 20; ++i) {
      made.push_back(std::make_unique<EndOfTurn>(loop, [&] { order += "n"; }));
    }
    first.reset();
  });
  second = std::make_unique<EndOfTurn>(loop, [&] { order += "2"; });
  loop.run_once(false);
  EXPECT_EQ(order, "1" + std::string(20, 'n'));
}

TEST(EventLoop, EndOfTurnFollowsTheEvents) {
  EventLoop loop;
  Pair pair;
  std::string order;
  IoWatcher watcher(loop, pair.a.get(), [&](IoEvents) {
    order += "e";
    loop.defer([&] { order += "d"; });
  });
  EndOfTurn end(loop, [&] {
    if (!order.empty()) order += "t";
    if (order.size() >= 3) loop.stop();
  });
  watcher.watch(kIoWrite);
  loop.run();
  EXPECT_EQ(order.find('e'), 0U);
  EXPECT_NE(order.find('d'), std::string::npos);
  EXPECT_NE(order.find('t'), std::string::npos);
  EXPECT_LT(order.find('t'), order.find('e', 1)) << "before the next turn's events";
}

TEST(EventLoop, WhatATaskDefersRunsWithoutSleep) {
  EventLoop loop;
  int runs = 0;
  std::function<void()> task = [&] {
    if (++runs == 5) return loop.stop();
    loop.defer(task);
  };
  loop.defer(task);
  loop.run();  // nothing else would ever wake it
  EXPECT_EQ(runs, 5);
}

TEST(EventLoop, EndOfTurnMayDestroyItself) {
  EventLoop loop;
  std::unique_ptr<EndOfTurn> end;
  int calls = 0;
  end = std::make_unique<EndOfTurn>(loop, [&] {
    ++calls;
    end.reset();
  });
  loop.run_once(false);
  loop.run_once(false);
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, Signals) {
  EventLoop loop;
  int calls = 0;
  std::unique_ptr<SignalWatcher> watcher;
  watcher = std::make_unique<SignalWatcher>(loop, SIGUSR1, [&] {
    ++calls;
    watcher.reset();
    loop.stop();
  });
  ::raise(SIGUSR1);
  loop.run();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace sluice::gateway
