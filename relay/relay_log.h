// Writes the Router's life-cycle events to the log: one line each, broken channels bounded per loss
// of the broker, oversized messages bounded in time.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "relay/router_ports.h"

namespace sluice::relay {

class RelayLog final : public RouterWatcher {
 public:
  /// Call every kTickInterval: sums up what was too much for lines of its own.
  void tick();

  void broker_connected() override;
  void broker_away(std::string_view reason) override;
  void channel_subscribed(std::string_view channel) override;
  void channel_unsubscribed(std::string_view channel) override;
  void continuity_lost(std::string_view channel, Duration uncovered) override;
  void message_oversized(std::string_view channel, std::uint64_t bytes) override;
  void messages_lost(std::string_view channel, std::uint64_t count) override;
  void presence_full(std::string_view gateway_id) override;
  void gateway_overrun(std::string_view gateway_id) override;
  void gateway_forgotten(std::string_view gateway_id) override;
  void gateway_controlled(std::string_view gateway_id, proto::ControlAction action) override;
  void drain_marks_changed() override {
    if (keep_marks_) keep_marks_();
  }
  void upgrade_asked() override {
    if (upgrade_) upgrade_();
  }
  /// Who keeps the drain marks.
  void on_drain_marks(std::function<void()> keep) { keep_marks_ = std::move(keep); }
  /// Who upgrades. Called from inside the Router: it may only note it.
  void on_upgrade(std::function<void()> upgrade) { upgrade_ = std::move(upgrade); }

 private:
  void sum_up_oversized();
  /// False: there were enough lines of gaps since the broker was lost.
  [[nodiscard]] bool gap_line();

  std::function<void()> keep_marks_;
  std::function<void()> upgrade_;
  std::size_t gap_lines_ = 0;  ///< since the broker was lost
  std::size_t gaps_unsaid_ = 0;
  std::size_t gaps_at_tick_ = 0;
  std::size_t oversized_unsaid_ = 0;
  std::size_t oversized_ticks_ = 0;  ///< until the next line
};

}  // namespace sluice::relay
