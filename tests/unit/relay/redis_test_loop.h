// A loop that a test runs until something is so.
#pragma once

#include <chrono>
#include <functional>

#include "relay/event_handles.h"

namespace sluice::relay::test {

class TestLoop {
 public:
  TestLoop()
      : base_(event_base_new()),
        wake_(make_event<&TestLoop::nothing>(base_.get(), -1, EV_PERSIST, this)) {
    const timeval often{0, 2000};
    event_add(wake_.get(), &often);
  }
  [[nodiscard]] event_base* base() const { return base_.get(); }

  /// False when the time is over.
  [[nodiscard]] bool run_until(Duration wait, const std::function<bool()>& so) const {
    const TimePoint end = std::chrono::steady_clock::now() + wait;
    while (!so()) {
      if (std::chrono::steady_clock::now() > end) return false;
      event_base_loop(base_.get(), EVLOOP_ONCE);
    }
    return true;
  }
  void run_for(Duration wait) const {
    (void)run_until(wait, [] { return false; });
  }

 private:
  void nothing() {}

  EventBasePtr base_;
  EventPtr wake_;
};

}  // namespace sluice::relay::test
