#include "gateway/readiness.h"

#include <utility>

namespace sluice::gateway {
namespace {

std::string seconds_text(Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count()) + " s";
}

}  // namespace

const char* to_string(ReadyState state) {
  switch (state) {
    case ReadyState::kStarting:
      return "starting";
    case ReadyState::kReady:
      return "ready";
    case ReadyState::kDegraded:
      return "degraded";
    case ReadyState::kNotReady:
      return "not ready";
    case ReadyState::kDraining:
      return "draining";
  }
  return "unknown";
}

void Readiness::relay_up(bool up, TimePoint now) {
  if (up) {
    ever_up_ = true;
    relay_down_since_.reset();
  } else if (!relay_down_since_) {
    relay_down_since_ = now;
  }
}

void Readiness::broker_up(bool up, std::string reason, TimePoint now) {
  broker_reason_ = std::move(reason);
  if (up) {
    broker_down_since_.reset();
  } else if (!broker_down_since_) {
    broker_down_since_ = now;
  }
}

ReadyAnswer Readiness::answer(TimePoint now) const {
  if (draining_) return {ReadyState::kDraining, "draining"};
  const ReadyRequires need = options_.requires_what;
  if (relay_down_since_) {
    if (need == ReadyRequires::kNone) return {ReadyState::kDegraded, "degraded: the relay is away"};
    if (!ever_up_) return {ReadyState::kStarting, "starting: waiting for the relay"};
    const Duration away = now - *relay_down_since_;
    if (away >= options_.grace)
      return {ReadyState::kNotReady, "not ready: the relay is away for " + seconds_text(away)};
    return {ReadyState::kDegraded, "degraded: the relay is away for " + seconds_text(away)};
  }
  if (broker_down_since_) {
    const Duration away = now - *broker_down_since_;
    const std::string text = "the broker is away for " + seconds_text(away) + ": " + broker_reason_;
    if (need == ReadyRequires::kBroker && away >= options_.grace)
      return {ReadyState::kNotReady, "not ready: " + text};
    return {ReadyState::kDegraded, "degraded: " + text};
  }
  return {ReadyState::kReady, "ready"};
}

int Readiness::http_status(ReadyState state) {
  switch (state) {
    case ReadyState::kReady:
    case ReadyState::kDegraded:
      return 200;
    case ReadyState::kDraining:
      return 404;
    default:
      return 503;
  }
}

}  // namespace sluice::gateway
