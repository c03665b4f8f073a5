// What HAProxy's health check says of the server that it checks, with `http-check send-state`
// (2.6 manual, 4.2): "UP 2/3; address=…; name=gw/1111; node=lb1; weight=100/300; scur=5/20;
// qcur=0". Pure.
#pragma once

#include <string_view>

namespace sluice::gateway {

/// Whether new clients may come from there: it is UP and has a weight. NOLB (a 404 with
/// `disable-on-404`) and DOWN say no; so does a weight above that of all usable servers together,
/// of which this one then is none. An operator's drain of one server among several can't be seen.
[[nodiscard]] bool gives_clients(std::string_view state);

}  // namespace sluice::gateway
