#include "ctl/table.h"

#include <gtest/gtest.h>

namespace sluice::ctl {
namespace {

using Lines = std::vector<std::string>;

const std::vector<TableColumn> kColumns = {
    {"NAME"}, {"COUNT", true}, {"EXTRA", false, 1}, {"LESS", true, 2}};

TEST(Table, ColumnsAreAsWideAsTheyNeed) {
  EXPECT_EQ(
      table_lines(kColumns, {{{"a"}, {"1"}, {"x"}, {"7"}}, {{"bcdefg"}, {"123456"}, {"y"}, {"8"}}},
                  0, false),
      (Lines{"NAME     COUNT  EXTRA  LESS",  //
             "a            1  x         7",  //
             "bcdefg  123456  y         8"}));
}

TEST(Table, WhatMattersLeastIsLeftOutFirst) {
  const std::vector<TableRow> rows = {{{"name"}, {"1"}, {"extra"}, {"7"}}};
  EXPECT_EQ(table_lines(kColumns, rows, 24, false)[0], "NAME  COUNT  EXTRA  LESS");
  EXPECT_EQ(table_lines(kColumns, rows, 23, false)[0], "NAME  COUNT  EXTRA");
  EXPECT_EQ(table_lines(kColumns, rows, 17, false)[0], "NAME  COUNT");
}

TEST(Table, ALongFirstColumnIsCutBeforeOthersGo) {
  const std::vector<TableRow> rows = {{{std::string(100, 'n')}, {"1"}, {"extra"}, {"7"}}};
  const Lines lines = table_lines(kColumns, rows, 40, false);
  for (const std::string& line : lines) EXPECT_LE(columns_of(line), 40U) << line;
  EXPECT_NE(lines[0].find("LESS"), std::string::npos);
  EXPECT_EQ(columns_of(lines[1]), 40U) << "it gets the room that is left";
  EXPECT_NE(lines[1].find("n…"), std::string::npos);
}

TEST(Table, NeverWiderThanAskedForWhateverTheWidth) {
  const std::vector<TableRow> rows = {{{"漢字漢字漢字漢字漢字"}, {"1,234"}, {"extra"}, {"7"}},
                                      {{"b"}, {"1"}, {"x"}, {"8"}}};
  for (std::size_t width = 12; width < 60; ++width) {
    for (const std::string& line : table_lines(kColumns, rows, width, false))
      EXPECT_LE(columns_of(line), width) << line;
  }
}

TEST(Table, ColoursTakeNoColumns) {
  const Lines plain = table_lines(kColumns, {{{"a"}, {"1"}, {"x"}, {"7"}}}, 0, false);
  const Lines coloured =
      table_lines(kColumns, {{{"a", Style::kBad}, {"1"}, {"x"}, {"7"}}}, 0, true);
  EXPECT_EQ(coloured[1], "\x1b[31ma\x1b[0m" + plain[1].substr(1));
}

}  // namespace
}  // namespace sluice::ctl
