// Time in process tests: everything that waits has a deadline, nothing sleeps for a guessed time.
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

namespace sluice::test {

using namespace std::chrono_literals;
using Millis = std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

/// The harness throws, GoogleTest turns it into a failure of the running test: a test that can't go
/// on ends there.
struct HarnessError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Deadline {
 public:
  static Deadline in(Millis wait) { return Deadline(SteadyClock::now() + wait); }
  [[nodiscard]] bool passed() const { return SteadyClock::now() >= at_; }
  /// For poll(2): rounded up, never negative.
  [[nodiscard]] int left_ms() const {
    const auto left = std::chrono::ceil<Millis>(at_ - SteadyClock::now()).count();
    return left > 0 ? static_cast<int>(left) : 0;
  }
  [[nodiscard]] SteadyClock::time_point at() const { return at_; }

 private:
  explicit Deadline(SteadyClock::time_point at) : at_(at) {}
  SteadyClock::time_point at_;
};

/// For state that announces itself nowhere (a figure of another process): asks again every few
/// milliseconds.
[[nodiscard]] bool eventually(Millis wait, const std::function<bool()>& holds);

/// Lets time pass during which something must NOT happen; the only legitimate fixed wait.
void observe_for(Millis span);

/// `SLUICE_TEST_FULL=1`: the sizes that the issue of a promise names, minutes instead of seconds.
[[nodiscard]] bool full_size();

/// Low-level failure with errno's text.
[[noreturn]] void throw_errno(const std::string& what);

}  // namespace sluice::test
