// What a run says: the JSON file that the plots are made from, and the table at the end. Pure.
#pragma once

#include <string>
#include <vector>

#include "bench/deploy/judge.h"
#include "bench/deploy/record.h"

namespace sluice::bench {

[[nodiscard]] std::string to_json(const Record& record, const std::vector<Criterion>& criteria);
/// One line per criterion, and the times of restarts.
[[nodiscard]] std::string to_table(const Record& record, const std::vector<Criterion>& criteria);

}  // namespace sluice::bench
