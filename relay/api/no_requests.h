// Placeholder: what stands in for the Router's LocalRequests until the Router has them.
#pragma once

#include "relay/local_requests.h"

namespace sluice::relay::api {

class NoRequests final : public LocalRequests {
 public:
  void publish(const LocalPublish&, std::function<void(const LocalPublished&)> done) override {
    done({.error = proto::ErrorReason::kShuttingDown, .position = {}});
  }
  void history(std::string_view, const proto::HistoryQuery&,
               std::function<void(const HistoryAnswer&)> done) override {
    done({.error = "not available", .top = {}, .publications = {}});
  }
  void remove_history(std::string_view, std::function<void(const HistoryAnswer&)> done) override {
    done({.error = "not available", .top = {}, .publications = {}});
  }
  void presence(std::string_view, bool, std::function<void(const PresenceAnswer&)> done) override {
    done({.error = "not available", .clients = 0, .users = 0, .entries = {}});
  }
  void listen(std::string_view, std::function<void(proto::Bytes)>) override {}
};

}  // namespace sluice::relay::api
