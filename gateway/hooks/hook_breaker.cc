#include "gateway/hooks/hook_breaker.h"

#include "common/check.h"

namespace sluice::gateway {

HookBreaker::HookBreaker(std::uint32_t failures_max, Duration pause)
    : failures_max_(failures_max), pause_(pause) {
  CHECK(failures_max > 0);
}

HookBreaker::Pass HookBreaker::ask(TimePoint now) {
  if (state_ == State::kClosed) return Pass::kOrdinary;
  if (state_ == State::kProbing || now < probe_at_) return Pass::kRefused;
  state_ = State::kProbing;
  return Pass::kProbe;
}

// Whoever it was that was answered, the endpoint answers again.
HookBreaker::Change HookBreaker::succeeded() {
  failures_ = 0;
  if (state_ == State::kClosed) return Change::kNone;
  state_ = State::kClosed;
  return Change::kClosed;
}

HookBreaker::Change HookBreaker::failed(Pass pass, TimePoint now) {
  if (pass == Pass::kProbe) {
    // Closed meanwhile by the late answer of another: then it is a failure like any.
    if (state_ == State::kProbing) {
      state_ = State::kOpen;
      probe_at_ = now + pause_;
      return Change::kNone;
    }
  }
  if (state_ != State::kClosed || ++failures_ < failures_max_) return Change::kNone;
  state_ = State::kOpen;
  probe_at_ = now + pause_;
  return Change::kOpened;
}

}  // namespace sluice::gateway
