// Which proxies carry WebSockets. Pure. The rules, as haproxy/README.md tells them:
//  - A backend is judged unless it is clearly something else: disabled, FastCGI, a cache, a
//  protocol of
//    its own (redis-check, the port of a database in mode tcp …), only statistics or fixed answers,
//    or nothing but a table that nobody sends traffic to.
//  - Where a frontend sends upgrades elsewhere (a condition that names Upgrade or websocket), only
//    those backends are judged for it.
//  - A frontend is judged when it leads to a judged backend.
#pragma once

#include <string>
#include <vector>

#include "ctl/haproxy_lint/model.h"

namespace sluice::ctl {

/// Sets `judged`. With `only`: those backends and listen sections, and what leads to them.
void choose_judged(HaproxySetup& setup, const std::vector<std::string>& only);

/// Sends the client's address on in a header.
[[nodiscard]] bool sets_forwarded(const Settings& settings);

/// What the judged frontends say.
[[nodiscard]] Fronts judged_fronts(const HaproxySetup& setup);

}  // namespace sluice::ctl
