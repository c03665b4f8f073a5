// Asks a running gateway whether it takes connections with and without a PROXY header: one request
// each way to the address where the clients come, answered or closed. No session is opened.
#pragma once

#include "common/address.h"
#include "common/result.h"
#include "ctl/haproxy_lint/rule.h"

namespace sluice::ctl {

/// Fails when nobody is there, or neither way is answered nor closed within 2 s.
[[nodiscard]] Result<GatewayAnswers> probe_gateway(const Address& address);

}  // namespace sluice::ctl
