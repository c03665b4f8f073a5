#include "common/random.h"

#include <sys/random.h>

#include <cerrno>
#include <utility>

#include "common/check.h"

namespace sluice {

std::uint64_t SystemRandom::next() {
  if (left_ == 0) refill();
  return std::exchange(ahead_[--left_], 0);
}

void SystemRandom::refill() {
  ssize_t got = -1;
  do {
    got = ::getrandom(ahead_.data(), sizeof ahead_, 0);
  } while (got < 0 && errno == EINTR);
  // Up to 256 bytes come whole.
  CHECK(got == sizeof ahead_);
  left_ = ahead_.size();
}

}  // namespace sluice
