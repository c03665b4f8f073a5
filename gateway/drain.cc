#include "gateway/drain.h"

#include <algorithm>

#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

/// Of the time for closing, this share is for the last clients' close handshakes.
constexpr double kHandshakeShare = 0.25;

}  // namespace

Drain::Drain(DrainOptions options, TimePoint now) : options_(options), began_(now) {
  if (options_.ends) options_.delay = std::min(options_.delay, options_.timeout);
}

Duration Drain::announcement_max() const {
  if (!options_.ends) return std::max(options_.delay, kAnnouncementMax);
  return std::clamp(options_.timeout / 2, options_.delay,
                    std::max(options_.delay, kAnnouncementMax));
}

bool Drain::announced_enough(TimePoint now, DrainSeen seen) const {
  const Duration since = now - began_;
  switch (seen) {
    case DrainSeen::kByAll:
      return true;
    case DrainSeen::kNobodyAsks:
      return since >= options_.delay;
    case DrainSeen::kWaiting:
      return since >= announcement_max();
  }
  return true;
}

double Drain::rate_needed(std::size_t clients) const {
  if (!options_.ends) return options_.rate_per_second;
  // Before the closing begins its time is a guess: the delay, as if nobody asked.
  const Duration left =
      options_.timeout -
      (phase_ == DrainPhase::kAnnounced ? options_.delay : closing_since_ - began_);
  const double time = in_seconds(left) * (1 - kHandshakeShare);
  const double needed =
      time > 0 ? static_cast<double>(clients) / time : static_cast<double>(clients) * 1e3;
  return std::max(options_.rate_per_second, needed);
}

Drain::Step Drain::tick(TimePoint now, const DrainView& view) {
  Step step;
  if (phase_ == DrainPhase::kAnnounced && announced_enough(now, view.seen)) {
    phase_ = DrainPhase::kClosing;
    closing_since_ = now;
    rate_ = rate_needed(view.open);
    step.entered = true;
  } else if (phase_ == DrainPhase::kClosing && options_.ends && (view.present == 0 || late(now))) {
    phase_ = DrainPhase::kFlushing;
    step.entered = true;
  } else if (phase_ == DrainPhase::kFlushing &&
             ((view.publishes_pending == 0 && view.hooks_pending == 0) || late(now))) {
    phase_ = DrainPhase::kDone;
    step.entered = true;
  }
  step.phase = phase_;
  if (phase_ == DrainPhase::kClosing) step.rate = rate_;
  return step;
}

}  // namespace sluice::gateway
