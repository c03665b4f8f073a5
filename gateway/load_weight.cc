#include "gateway/load_weight.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

constexpr std::array<unsigned, 5> kSteps = {100, 75, 50, 25, kWeightMin};
/// How far past the middle between two steps it must be to change over.
constexpr double kHysteresis = 4;
/// The ramp's steps, in percent.
constexpr unsigned kRampStep = 5;

/// 100 up to `easy`, kWeightMin from `hard` on, a straight line between.
double share_left(double value, double easy, double hard) {
  const double used = std::clamp((value - easy) / (hard - easy), 0.0, 1.0);
  return 100 - used * (100 - kWeightMin);
}

double weigh(const LoadSample& sample) {
  return std::min({share_left(sample.connections, 0.5, 0.95),
                   share_left(in_seconds(sample.lag), 0.02, 0.5),
                   share_left(sample.queued, 0.05, 0.5)});
}

}  // namespace

void LoadWeight::sample(const LoadSample& sample, TimePoint now) {
  const double target = weigh(sample);
  if (sampled_at_ == TimePoint{}) {
    smooth_ = target;
  } else {
    const double share = 1 - std::exp(-in_seconds(now - sampled_at_) / in_seconds(kLoadSmoothing));
    smooth_ += (target - smooth_) * share;
  }
  sampled_at_ = now;
  const auto middle = [](std::size_t step) { return (kSteps[step] + kSteps[step + 1]) / 2.0; };
  while (step_ + 1 < kSteps.size() && smooth_ < middle(step_) - kHysteresis) ++step_;
  while (step_ > 0 && smooth_ > middle(step_ - 1) + kHysteresis) --step_;
}

unsigned LoadWeight::ramp_percent(TimePoint now) const {
  if (ramp_ <= Duration::zero() || ramp_began_ == TimePoint{}) return 100;
  const double done = std::clamp(in_seconds(now - ramp_began_) / in_seconds(ramp_), 0.0, 1.0);
  const auto percent = static_cast<unsigned>(kWeightMin + done * (100 - kWeightMin));
  return percent / kRampStep * kRampStep;
}

unsigned LoadWeight::percent(TimePoint now) const {
  return std::max(kWeightMin, std::min(kSteps[step_], ramp_percent(now)));
}

}  // namespace sluice::gateway
