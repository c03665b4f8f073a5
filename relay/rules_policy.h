// What the rules make of a channel at the broker: its history, and whether there is an envelope
// around what is published. Pure.
#pragma once

#include "common/rules/rules.h"
#include "relay/brokers/broker.h"

namespace sluice::relay {

class RulesPolicy final : public ChannelPolicy {
 public:
  /// `rules` outlives this; what is in force when somebody asks counts.
  explicit RulesPolicy(const RulesStore& rules) : rules_(rules) {}

  [[nodiscard]] ChannelOptions options(std::string_view channel) const override;

 private:
  const RulesStore& rules_;
};

}  // namespace sluice::relay
