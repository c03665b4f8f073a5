// The relays of the cluster and their gateways, as each tells of itself. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "proto/envelope.pb.h"

namespace sluice::relay::api {

class NodeRegistry {
 public:
  explicit NodeRegistry(const TimeSource& time) : time_(time), since_(time.now()) {}

  /// One that leaves is forgotten; what is no sense, or one node too many, is ignored.
  void heard(const envelope::NodeInfo& node);
  void expire();
  /// By uid.
  [[nodiscard]] const std::map<std::string, envelope::NodeInfo, std::less<>>& nodes() const {
    return nodes_;
  }
  /// Of all nodes.
  [[nodiscard]] std::size_t gateways() const;
  /// Whoever is there has been heard by now.
  [[nodiscard]] bool settled() const;

 private:
  const TimeSource& time_;
  const TimePoint since_;
  std::map<std::string, envelope::NodeInfo, std::less<>> nodes_;
  std::map<std::string, TimePoint, std::less<>> heard_at_;
};

}  // namespace sluice::relay::api
