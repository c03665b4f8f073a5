// Which balancers were told by a gateway's agent check to drain it, per gateway id. That word
// stands at the balancer until the agent says otherwise, so it is remembered where the next process
// of the id finds it (proto/PROTOCOL.md, DRAIN_MARK). Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace sluice::relay {

class DrainMarks {
 public:
  /// Balancers by name, with the time when they were marked.
  using OfGateway = std::map<std::string, TimePoint, std::less<>>;

  // Both: whether something has changed.
  bool set(std::string_view gateway, std::string_view balancer, TimePoint now);
  bool clear(std::string_view gateway, std::string_view balancer);
  /// Forgets marks that nobody has come back for in kDrainMarkAgeMax.
  bool expire(TimePoint now);

  /// Views live until the next change.
  [[nodiscard]] std::vector<std::string_view> of(std::string_view gateway) const;
  [[nodiscard]] const std::map<std::string, OfGateway, std::less<>>& table() const {
    return table_;
  }
  [[nodiscard]] std::size_t size() const;

 private:
  void make_room();

  std::map<std::string, OfGateway, std::less<>> table_;  ///< at most kMarkedGatewaysMax
};

}  // namespace sluice::relay
