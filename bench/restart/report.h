// What a run says: the JSON file that the plots are made from, and the table at the end. Pure.
#pragma once

#include <string>
#include <vector>

#include "bench/restart/judge.h"
#include "bench/restart/record.h"

namespace sluice::restart {

[[nodiscard]] std::string to_json(const Record& record, const std::vector<Criterion>& criteria);
/// One line per promise, and the pauses in short.
[[nodiscard]] std::string to_table(const Record& record, const std::vector<Criterion>& criteria);

}  // namespace sluice::restart
