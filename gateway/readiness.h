// May this gateway get new clients? One state machine for /readyz, the agent check and sd_notify.
// Pure: facts go in with their time, the answer comes out.
//
//   starting ──link up──▶ ready ◀──────▶ degraded      (the broker, or the relay inside the grace,
//   is away)
//                           ▲ ▼
//                        not ready                      (what --ready-requires names is away longer
//                        than --ready-grace)
//   any ──drain──▶ draining ──undrain──▶ as the facts are
#pragma once

#include <optional>
#include <string>

#include "common/clock.h"

namespace sluice::gateway {

enum class ReadyRequires { kNone, kRelay, kBroker };

enum class ReadyState { kStarting, kReady, kDegraded, kNotReady, kDraining };
[[nodiscard]] const char* to_string(ReadyState state);

struct ReadinessOptions {
  ReadyRequires requires_what = ReadyRequires::kRelay;
  Duration grace{};
};

struct ReadyAnswer {
  ReadyState state{};
  std::string text;  ///< for people: the reason
};

class Readiness {
 public:
  explicit Readiness(ReadinessOptions options) : options_(options) {}

  void relay_up(bool up, TimePoint now);
  void broker_up(bool up, std::string reason, TimePoint now);
  void drain() { draining_ = true; }
  /// Taken back: the state that the facts give.
  void undrain() { draining_ = false; }

  [[nodiscard]] ReadyAnswer answer(TimePoint now) const;
  /// 200 ready or degraded, 404 draining (HAProxy's disable-on-404: old sessions stay), 503
  /// starting or not ready.
  [[nodiscard]] static int http_status(ReadyState state);

 private:
  ReadinessOptions options_;
  bool ever_up_ = false;
  bool draining_ = false;
  std::optional<TimePoint> relay_down_since_ = TimePoint{};
  std::optional<TimePoint> broker_down_since_;
  std::string broker_reason_;
};

}  // namespace sluice::gateway
