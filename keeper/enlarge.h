// A state in larger memory, for a gateway that may have more clients, or more waiting for them,
// than the one before. Its arena's addresses and its slots' numbers stay.
#pragma once

#include "common/result.h"
#include "keeper/shared_memory.h"

namespace sluice::keeper {

/// One of its regions is smaller than that.
[[nodiscard]] bool too_small(const SharedState& state, const StateSize& size);
/// A copy of it in which no region is smaller than in `from`, nor than `size`. `from` is not
/// changed, and nobody may write to it meanwhile. Costs the pages that hold something.
[[nodiscard]] Result<SharedState> enlarged(const SharedState& from, const StateSize& size);

}  // namespace sluice::keeper
