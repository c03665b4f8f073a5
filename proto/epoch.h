// How an epoch is written wherever people, clients or Redis see it.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::proto {

/// 16 lower-case hexadecimal digits: JavaScript's numbers would lose its end.
[[nodiscard]] std::string epoch_text(std::uint64_t epoch);

}  // namespace sluice::proto
