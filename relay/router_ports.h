// What the Router talks to beside the broker: the live links, and somebody who keeps the log.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/clock.h"
#include "proto/frame.h"

namespace sluice::relay {

/// One live link as the Router sees it. Implementations only note or buffer: they never call the
/// Router from inside.
class LinkPort {
 public:
  virtual ~LinkPort() = default;
  virtual void subscribed(const proto::Subscribed& answer) = 0;
  /// To be told only when everything up to `after_sequence` has been sent: nothing of the id comes
  /// behind it.
  virtual void unsubscribed(std::uint32_t channel_id, std::uint64_t after_sequence) = 0;
  virtual void published(std::uint64_t request) = 0;
  virtual void refused(std::uint64_t request, proto::ErrorReason reason, std::string_view text) = 0;
  virtual void broker_state(bool connected, std::string_view reason) = 0;
  /// The mark is kept, or forgotten.
  virtual void drain_marked(const proto::DrainMark& mark) = 0;
  /// For the gateway: an operator's wish.
  virtual void control(const proto::Control& control) = 0;
  /// For the tool: the gateway has been told.
  virtual void controlled(std::uint64_t request) = 0;
  /// Messages or gaps wait in the gateway's index.
  virtual void pending() = 0;
};

/// Life-cycle events for people. Never one per message.
class RouterWatcher {
 public:
  virtual ~RouterWatcher() = default;
  virtual void broker_connected() = 0;
  virtual void broker_away(std::string_view reason) = 0;
  virtual void channel_subscribed(std::string_view channel) = 0;
  virtual void channel_unsubscribed(std::string_view channel) = 0;
  virtual void continuity_lost(std::string_view channel, Duration uncovered) = 0;
  /// A message that no link carries came on a channel with subscribers: may come often, is to be
  /// bounded.
  virtual void message_oversized(std::string_view channel, std::uint64_t bytes) = 0;
  /// So many messages of a channel with history came while nobody listened, and the history has
  /// them no longer.
  virtual void messages_lost(std::string_view channel, std::uint64_t count) = 0;
  /// A gateway says that more clients are in channels than are kept for one; told once for each.
  virtual void presence_full(std::string_view gateway_id) = 0;
  virtual void gateway_overrun(std::string_view gateway_id) = 0;
  /// Its link has been away for too long: subscriptions and queue are forgotten.
  virtual void gateway_forgotten(std::string_view gateway_id) = 0;
  /// An operator's tool has asked something of a gateway.
  virtual void gateway_controlled(std::string_view gateway_id, proto::ControlAction action) = 0;
  /// An operator's tool asks the relay to go on as the program that is installed now: to be noted,
  /// not done from inside.
  virtual void upgrade_asked() = 0;
  /// Marks are to be kept from now on as they are.
  virtual void drain_marks_changed() = 0;
};

}  // namespace sluice::relay
