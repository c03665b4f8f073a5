// The conditions of `.if` and `.elif` in an HAProxy configuration (configuration manual, 2.4).
// Pure.
#pragma once

#include <string_view>

#include "ctl/haproxy_words.h"

namespace sluice::ctl {

/// What can be known from here: numbers, defined(), streq(), strneq(), !, &&, ||, parentheses. The
/// rest is answered for a new HAProxy that was built with every feature: feature() and
/// version_atleast() hold, version_before() does not; what can't be read holds.
[[nodiscard]] bool haproxy_condition_holds(std::string_view condition,
                                           const HaproxyVariables& variables);

}  // namespace sluice::ctl
