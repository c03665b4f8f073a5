// What a run promises, and whether it was kept. Figures are told, not judged. Pure.
#pragma once

#include <string>
#include <vector>

#include "bench/channels/record.h"

namespace sluice::channels {

struct Promise {
  std::string text;
  bool kept = false;
  std::string detail;
};

[[nodiscard]] std::vector<Promise> judge(const Record& record);
[[nodiscard]] bool all_kept(const std::vector<Promise>& promises);

}  // namespace sluice::channels
