// What a run ran on, for its record.
#pragma once

#include <map>
#include <string>

namespace sluice::restart {

[[nodiscard]] std::map<std::string, std::string> this_machine();

}  // namespace sluice::restart
