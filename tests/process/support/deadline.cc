// Waiting with deadlines.
#include "tests/process/support/deadline.h"

#include <poll.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace sluice::test {

bool eventually(Millis wait, const std::function<bool()>& holds) {
  const Deadline deadline = Deadline::in(wait);
  while (!holds()) {
    if (deadline.passed()) return holds();
    ::poll(nullptr, 0, 5);
  }
  return true;
}

void observe_for(Millis span) {
  const Deadline deadline = Deadline::in(span);
  while (!deadline.passed()) ::poll(nullptr, 0, deadline.left_ms());
}

bool full_size() {
  return std::getenv("SLUICE_TEST_FULL") != nullptr;
}

void throw_errno(const std::string& what) {
  throw HarnessError(what + ": " + std::strerror(errno));
}

}  // namespace sluice::test
