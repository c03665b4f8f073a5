// epoll. Descriptors that are watched may be shared with other processes, and closing such a one
// does not end its watch: remove() comes before every close.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "common/clock.h"
#include "common/unique_fd.h"

namespace sluice::keeper {

class Poller {
 public:
  Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  [[nodiscard]] bool valid() const { return epoll_.valid(); }
  /// `events`: EPOLLIN, EPOLLOUT. False: no memory, or over the system's bound of watches.
  [[nodiscard]] bool add(int fd, std::uint32_t events) {
    return control(EPOLL_CTL_ADD, fd, events);
  }
  void change(int fd, std::uint32_t events) { (void)control(EPOLL_CTL_MOD, fd, events); }
  void remove(int fd) { (void)control(EPOLL_CTL_DEL, fd, 0); }

  /// Who is ready, by descriptor. It may be of one that was closed and given out again within this
  /// turn, so whoever acts on it must not mind when nothing is there.
  [[nodiscard]] std::span<const epoll_event> wait(Duration longest) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(longest).count();
    const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                                   static_cast<int>(ms));
    return std::span(events_).first(count > 0 ? static_cast<std::size_t>(count) : 0);
  }

 private:
  bool control(int what, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    return ::epoll_ctl(epoll_.get(), what, fd, &event) == 0;
  }

  UniqueFd epoll_;
  std::vector<epoll_event> events_ = std::vector<epoll_event>(128);
};

}  // namespace sluice::keeper
