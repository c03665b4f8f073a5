// JSON and table of a run. Pure.
#pragma once

#include <string>
#include <vector>

#include "bench/channels/judge.h"
#include "bench/channels/record.h"

namespace sluice::channels {

[[nodiscard]] std::string to_json(const Record& record, const std::vector<Promise>& promises);
[[nodiscard]] std::string to_table(const Record& record, const std::vector<Promise>& promises);

}  // namespace sluice::channels
