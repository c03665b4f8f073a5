// A keeper's table across exec: the descriptors stay open, a memfd says which is what.
#pragma once

#include "common/result.h"
#include "common/unique_fd.h"
#include "keeper/holding.h"

namespace sluice::keeper {

/// Of another version nothing is taken over.
inline constexpr std::uint32_t kTableVersion = 1;

/// A memfd with `table`, whose descriptors keep their numbers. Nothing is inheritable yet.
[[nodiscard]] Result<UniqueFd> save_table(const Table& table);
/// Whether exec leaves `saved` and all of the table's descriptors open.
void set_inherited(const Table& table, const UniqueFd& saved, bool inherited);

/// The table that a predecessor has left in `saved`; all of it is close-on-exec again. kInvalid: of
/// another version, cut short, or it names descriptors that are not there or twice; what is open of
/// it is then of no known use, see close_all_inherited().
[[nodiscard]] Result<Table> load_table(int saved);
/// Everything but standard input, output and error.
void close_all_inherited();

}  // namespace sluice::keeper
