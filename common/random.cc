#include "common/random.h"

#include <sys/random.h>

#include <cerrno>

#include "common/check.h"

namespace sluice {

std::uint64_t SystemRandom::next() {
  std::uint64_t value = 0;
  ssize_t got = -1;
  do {
    got = ::getrandom(&value, sizeof value, 0);
  } while (got < 0 && errno == EINTR);
  CHECK(got == sizeof value);
  return value;
}

}  // namespace sluice
