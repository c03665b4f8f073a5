#include "ctl/table.h"

#include <algorithm>
#include <numeric>

namespace sluice::ctl {
namespace {

constexpr std::size_t kBetween = 2;
/// The first column is never cut below this.
constexpr std::size_t kFirstMin = 8;

struct Layout {
  std::vector<std::size_t> shown;   ///< indexes of columns
  std::vector<std::size_t> widths;  ///< of those
};

std::size_t total(const Layout& layout) {
  return std::accumulate(layout.widths.begin(), layout.widths.end(), std::size_t{0}) +
         kBetween * (layout.widths.size() - 1);
}

bool drop_most_expendable(Layout& layout, const std::vector<TableColumn>& columns) {
  std::size_t victim = 0;
  for (std::size_t i = 0; i < layout.shown.size(); ++i) {
    if (columns[layout.shown[i]].expendable > columns[layout.shown[victim]].expendable) victim = i;
  }
  if (columns[layout.shown[victim]].expendable == 0) return false;
  layout.shown.erase(layout.shown.begin() + static_cast<std::ptrdiff_t>(victim));
  layout.widths.erase(layout.widths.begin() + static_cast<std::ptrdiff_t>(victim));
  return true;
}

Layout lay_out(const std::vector<TableColumn>& columns, const std::vector<TableRow>& rows,
               std::size_t width) {
  Layout layout;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::size_t widest = columns_of(columns[i].title);
    for (const TableRow& row : rows) widest = std::max(widest, columns_of(row[i].text));
    layout.shown.push_back(i);
    layout.widths.push_back(widest);
  }
  if (width == 0) return layout;
  // A long first column gives way before another column is left out.
  const std::size_t wanted = layout.widths.front();
  layout.widths.front() = std::min(wanted, std::max(kFirstMin, width / 3));
  while (total(layout) > width && drop_most_expendable(layout, columns)) {
  }
  if (const std::size_t used = total(layout); used > width) {
    const std::size_t over = std::min(used - width, layout.widths.front() - 1);
    layout.widths.front() = std::max(layout.widths.front() - over, std::size_t{1});
  } else {
    layout.widths.front() = std::min(wanted, layout.widths.front() + width - used);
  }
  return layout;
}

std::string line_of(const TableRow& row, const std::vector<TableColumn>& columns,
                    const Layout& layout, bool colours) {
  std::string line;
  for (std::size_t i = 0; i < layout.shown.size(); ++i) {
    const Cell& cell = row[layout.shown[i]];
    const std::string text = cut_to(cell.text, layout.widths[i]);
    const std::string padding(layout.widths[i] - columns_of(text), ' ');
    const bool last = i + 1 == layout.shown.size();
    const bool right = columns[layout.shown[i]].right;
    if (i > 0) line.append(kBetween, ' ');
    if (right) line += padding;
    line += styled(text, cell.style, colours);
    if (!right && !last) line += padding;
  }
  return line;
}

}  // namespace

std::vector<std::string> table_lines(const std::vector<TableColumn>& columns,
                                     const std::vector<TableRow>& rows, std::size_t width,
                                     bool colours) {
  const Layout layout = lay_out(columns, rows, width);
  TableRow titles;
  for (const TableColumn& column : columns) titles.push_back({column.title, Style::kDim});
  std::vector<std::string> lines{line_of(titles, columns, layout, colours)};
  for (const TableRow& row : rows) lines.push_back(line_of(row, columns, layout, colours));
  return lines;
}

}  // namespace sluice::ctl
