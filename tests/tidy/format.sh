#!/usr/bin/env bash
# Sources are as clang-format 14 writes them. Another version would write some of them otherwise.
set -euo pipefail
formatter=$(command -v clang-format-14) || {
  echo "clang-format-14 is missing: ./dev install test"
  exit 1
}
find common proto relay gateway ctl bench tests -name node_modules -prune -o \( -name '*.cc' -o -name '*.h' \) -print0 |
  xargs -0 "$formatter" --dry-run -Werror
