// CHECK stays on in release builds: a broken invariant ends the process with file, line and
// condition.
#pragma once

namespace sluice::internal {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace sluice::internal

#define CHECK(condition)                                                \
  do {                                                                  \
    if (!(condition)) [[unlikely]] {                                    \
      ::sluice::internal::check_failed(#condition, __FILE__, __LINE__); \
    }                                                                   \
  } while (false)
