#include "gateway/drain.h"

#include <algorithm>

namespace sluice::gateway {
namespace {

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

/// Of the time for closing, this share is for the last clients' close handshakes.
constexpr double kHandshakeShare = 0.2;

}  // namespace

Drain::Drain(DrainOptions options, TimePoint now) : options_(options), began_(now) {
  options_.delay = std::min(options_.delay, options_.timeout);
}

Duration Drain::closing_time() const {
  return options_.timeout - options_.delay;
}

double Drain::rate_needed(std::size_t clients) const {
  const double time = seconds(closing_time()) * (1 - kHandshakeShare);
  const double needed =
      time > 0 ? static_cast<double>(clients) / time : static_cast<double>(clients) * 1e3;
  return std::max(options_.rate_per_second, needed);
}

Drain::Step Drain::tick(TimePoint now, std::size_t open, std::size_t present,
                        std::size_t publishes_pending) {
  Step step;
  if (phase_ == DrainPhase::kAnnounced && now - began_ >= options_.delay) {
    phase_ = DrainPhase::kClosing;
    rate_ = rate_needed(open);
    last_tick_ = now;
    step.entered = true;
  } else if (phase_ == DrainPhase::kClosing && (present == 0 || now - began_ >= options_.timeout)) {
    phase_ = DrainPhase::kFlushing;
    step.entered = true;
  } else if (phase_ == DrainPhase::kFlushing &&
             (publishes_pending == 0 || now - began_ >= options_.timeout)) {
    phase_ = DrainPhase::kDone;
    step.entered = true;
  }
  if (phase_ == DrainPhase::kClosing) {
    // Never more than a tenth of a second's worth at once, however late the tick comes.
    credit_ = std::min(credit_ + rate_ * seconds(now - last_tick_), std::max(1.0, rate_ / 10));
    last_tick_ = now;
    step.close_now = std::min(open, static_cast<std::size_t>(credit_));
    credit_ -= static_cast<double>(step.close_now);
  }
  step.phase = phase_;
  return step;
}

}  // namespace sluice::gateway
