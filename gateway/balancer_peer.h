// The balancer at the other end of a check's connection.
#pragma once

#include <string>

#include "gateway/client_address.h"

namespace sluice::gateway {

/// With `http-check send-state` HAProxy's health checks carry it (2.6 manual, 4.2).
inline constexpr const char* kBalancerStateHeader = "X-Haproxy-Server-State";

/// By which a balancer is known: its address without the port; "unix" over a Unix socket.
[[nodiscard]] std::string balancer_name(const ClientAddress& peer);
/// The peer has ended the connection already: nobody waits for the answer.
[[nodiscard]] bool has_hung_up(int fd);

}  // namespace sluice::gateway
