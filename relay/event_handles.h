// Owners of libevent's objects, and the one place that turns its C callbacks into method calls.
#pragma once

#include <event2/event.h>

#include <memory>

#include "common/check.h"
#include "common/clock.h"

namespace sluice::relay {

struct EventBaseFree {
  void operator()(event_base* base) const { event_base_free(base); }
};
struct EventFree {
  void operator()(event* one) const { event_free(one); }
};
using EventBasePtr = std::unique_ptr<event_base, EventBaseFree>;
using EventPtr = std::unique_ptr<event, EventFree>;

/// An event that calls `method` of `object`; not added yet. fd -1: a timer, or one to be activated
/// by hand.
template <auto method, typename Object>
[[nodiscard]] EventPtr make_event(event_base* base, int fd, short what, Object* object) {
  event* made = event_new(
      base, fd, what,
      [](evutil_socket_t, short, void* context) noexcept {
        (static_cast<Object*>(context)->*method)();
      },
      object);
  CHECK(made != nullptr);
  return EventPtr(made);
}

[[nodiscard]] inline timeval to_timeval(Duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  return {static_cast<time_t>(us / 1000000), static_cast<suseconds_t>(us % 1000000)};
}

}  // namespace sluice::relay
