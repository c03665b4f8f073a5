// One channel as `sluice tail` follows it, across lost links and restarted relays: frames in,
// events out. Pure; times come from outside.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "ctl/failure.h"
#include "ctl/tail_event.h"
#include "proto/frame.h"

namespace sluice::ctl {

/// The two clocks at the same moment: frames carry the one, people read the other.
struct Clocks {
  TimePoint steady{};
  WallTime wall{};
};

class TailChannel {
 public:
  explicit TailChannel(std::string name) : name_(std::move(name)) {}

  /// A new link stands: SUBSCRIBE, from the position reached. Appends to `out`.
  void connected(std::string& out, const Clocks& now, std::vector<TailEvent>& events);
  /// Once per outage and reason.
  void lost(const std::string& reason, const Clocks& now, std::vector<TailEvent>& events);
  /// A failure: the relay will not have it, or what came is no sense.
  [[nodiscard]] Outcome<void> take(const proto::FrameView& frame, const Clocks& now,
                                   std::vector<TailEvent>& events);

 private:
  [[nodiscard]] TailEvent event(TailEvent::Kind kind, const Clocks& now) const;
  void on_subscribed(const proto::Subscribed& answer, const Clocks& now,
                     std::vector<TailEvent>& events);
  void on_message(const proto::Message& message, const Clocks& now, std::vector<TailEvent>& events);
  void on_gap(const proto::Gap& gap, const Clocks& now, std::vector<TailEvent>& events);
  void on_broker(const proto::BrokerState& state, const Clocks& now,
                 std::vector<TailEvent>& events);

  std::string name_;
  proto::Position position_;  ///< epoch 0: never subscribed
  std::uint32_t channel_id_ = 0;
  std::uint64_t request_ = 0;
  std::optional<bool> broker_connected_;
  std::optional<std::string> outage_;  ///< reason told last
  TimePoint lost_at_{};
};

}  // namespace sluice::ctl
