// What parts of the relay itself ask of the Router, without a link: the server API, the registry of
// nodes. Implemented by the Router (router_local.cc). Callbacks come from the loop or from inside
// the call, exactly once each; none after shut_down() has returned.
#pragma once

#include <functional>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "proto/frame.h"
#include "relay/brokers/broker.h"

namespace sluice::relay {

struct LocalPublish {
  std::string_view channel;
  proto::Bytes payload{};
  proto::Bytes meta{};
  Duration wait{};
  bool skip_history = false;  ///< to those who listen, beside the history
};

struct LocalPublished {
  proto::ErrorReason error{};  ///< 0: published
  proto::Position position;    ///< of channels with history, else epoch 0
};

class LocalRequests {
 public:
  virtual ~LocalRequests() = default;
  /// Waits and fails as a gateway's publish does; with no `wait` it goes at once or not at all.
  virtual void publish(const LocalPublish& publish,
                       std::function<void(const LocalPublished&)> done) = 0;
  virtual void history(std::string_view channel, const proto::HistoryQuery& query,
                       std::function<void(const HistoryAnswer&)> done) = 0;
  virtual void remove_history(std::string_view channel,
                              std::function<void(const HistoryAnswer&)> done) = 0;
  virtual void presence(std::string_view channel, bool counts_only,
                        std::function<void(const PresenceAnswer&)> done) = 0;
  /// An internal channel, for as long as the relay runs. Before the first link.
  virtual void listen(std::string_view channel,
                      std::function<void(proto::Bytes payload)> heard) = 0;
};

}  // namespace sluice::relay
