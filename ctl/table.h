// Columns side by side, within so many columns of a terminal: what matters least is left out first.
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ctl/text.h"

namespace sluice::ctl {

struct TableColumn {
  std::string title;
  bool right = false;  ///< figures
  int expendable = 0;  ///< where there is no room, the highest goes first; 0: never
};

struct Cell {
  std::string text;
  Style style = Style::kPlain;
};

using TableRow = std::vector<Cell>;

/// Title line, then a line per row. `width` 0: as wide as it takes. The first column is cut when
/// the others leave it no room.
[[nodiscard]] std::vector<std::string> table_lines(const std::vector<TableColumn>& columns,
                                                   const std::vector<TableRow>& rows,
                                                   std::size_t width, bool colours);

}  // namespace sluice::ctl
