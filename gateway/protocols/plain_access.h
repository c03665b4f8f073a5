// What the channels' rules let a client of the plain and the demo protocol do. It has no token and
// no user: it is one of `everyone` and no more. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/clock.h"
#include "common/rules/rules.h"
#include "gateway/client_session.h"

namespace sluice::gateway {

enum class PlainVerdict : std::uint8_t { kAllowed, kNotAllowed, kTooLarge, kTooMany };

[[nodiscard]] bool plain_may_subscribe(const Rules& rules, std::string_view channel);
/// Counts it against the channel's rate.
[[nodiscard]] PlainVerdict judge_plain_publish(const Rules& rules, ClientSession& session,
                                               std::string_view channel, std::size_t bytes,
                                               TimePoint now);

}  // namespace sluice::gateway
