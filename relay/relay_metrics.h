// The relay's /metrics page. docs/METRICS.md describes what is on it.
#pragma once

#include <string>

#include "relay/gateway_listener.h"
#include "relay/router.h"

namespace sluice::relay {

namespace api {
class Api;
}
class AdminServer;
class MemoryBroker;
class RedisBroker;

/// `admin`: null without --admin-listen; `redis`, `memory`: null with another broker.
[[nodiscard]] std::string metrics_text(const Router& router, const GatewayListener& listener,
                                       const AdminServer* admin, const RedisBroker* redis,
                                       const MemoryBroker* memory, const api::Api& api);

}  // namespace sluice::relay
