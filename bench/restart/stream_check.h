// Is what one receiver gets of one source complete, once each, and in order? Pure.
#pragma once

#include <cstdint>
#include <set>

namespace sluice::restart {

enum class Arrival {
  kNext,       ///< as it has to be
  kAfterHole,  ///< serials were passed over: see StreamCheck::holes()
  kLate,       ///< one that was passed over before: out of order
  kTwice,
};

class StreamCheck {
 public:
  /// Serials count from 1; the first that comes may be any.
  Arrival arrived(std::uint32_t serial);

  /// 0: nothing yet.
  [[nodiscard]] std::uint32_t first() const { return first_; }
  /// The highest that has come.
  [[nodiscard]] std::uint32_t last() const { return last_; }
  /// Passed over, and not come since. At most kHolesMax are known one by one.
  [[nodiscard]] const std::set<std::uint32_t>& holes() const { return holes_; }
  /// Passed over beyond that.
  [[nodiscard]] std::uint64_t more_holes() const { return more_holes_; }

  static constexpr std::size_t kHolesMax = 4096;

 private:
  std::uint32_t first_ = 0;
  std::uint32_t last_ = 0;
  std::set<std::uint32_t> holes_;
  std::uint64_t more_holes_ = 0;
};

}  // namespace sluice::restart
