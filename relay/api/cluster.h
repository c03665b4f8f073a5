// This relay among those of the cluster: it tells of itself, hears of the others, sends commands to
// the gateways of all hosts and asks them. All over internal channels (proto/names.h). Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/random.h"
#include "proto/envelope.pb.h"
#include "relay/api/api_error.h"
#include "relay/api/limits.h"
#include "relay/api/node_registry.h"
#include "relay/api/survey.h"
#include "relay/local_requests.h"

namespace sluice::relay::api {

class Cluster {
 public:
  /// `self`: what is to be told of this relay now. All outlive this.
  Cluster(LocalRequests& requests, const TimeSource& time, Random& random,
          std::function<envelope::NodeInfo()> self);

  /// Hears of others and of answers from now on: without it this relay is only told of. Before the
  /// first link.
  void listen();
  /// Call every kTickInterval.
  void tick();
  /// The others shall forget this relay now.
  void leave();

  /// To every gateway of every host. The broker has it when `done` says no error.
  void command(envelope::ControlCommand command, std::function<void(const ApiError&)> done);
  /// Which channels the gateways' clients are subscribed to. `pattern`: glob; empty: all.
  void ask_channels(std::string_view pattern, std::function<void(const ApiError&)> failed,
                    Surveys::Done done);
  [[nodiscard]] const NodeRegistry& nodes() const { return nodes_; }
  /// What is known of this relay is told and known at once.
  void refresh_self();

 private:
  void announce(bool leaving);
  void send(std::string_view channel, const google::protobuf::MessageLite& message, Duration wait,
            std::function<void(const LocalPublished&)> done);

  LocalRequests& requests_;
  const TimeSource& time_;
  Random& random_;
  const std::function<envelope::NodeInfo()> self_;
  const std::string uid_;
  NodeRegistry nodes_;
  Surveys surveys_;
  TimePoint announce_at_;
  bool left_ = false;
};

/// What a publish's failure is to who has asked by the API.
[[nodiscard]] ApiError error_of(proto::ErrorReason reason);

}  // namespace sluice::relay::api
