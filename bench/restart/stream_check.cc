#include "bench/restart/stream_check.h"

namespace sluice::restart {

Arrival StreamCheck::arrived(std::uint32_t serial) {
  if (last_ == 0) {
    first_ = last_ = serial;
    return Arrival::kNext;
  }
  if (serial == last_ + 1) {
    last_ = serial;
    return Arrival::kNext;
  }
  if (serial > last_) {
    for (std::uint32_t passed = last_ + 1; passed < serial; ++passed) {
      if (holes_.size() == kHolesMax) {
        more_holes_ += serial - passed;
        break;
      }
      holes_.insert(passed);
    }
    last_ = serial;
    return Arrival::kAfterHole;
  }
  const bool late = holes_.erase(serial) != 0 || serial < first_;
  return late ? Arrival::kLate : Arrival::kTwice;
}

}  // namespace sluice::restart
