// How an epoch is written wherever people, clients or Redis see it.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::proto {

/// What names an epoch that is none of ours: a position that nothing follows.
inline constexpr std::uint64_t kForeignEpoch = ~std::uint64_t{0};

/// 16 lower-case hexadecimal digits: JavaScript's numbers would lose its end.
[[nodiscard]] std::string epoch_text(std::uint64_t epoch);

}  // namespace sluice::proto
