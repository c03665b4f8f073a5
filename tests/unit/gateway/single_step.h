// Looks at the state of things between any two instructions: the processor's trap flag is set while
// something runs, and a handler looks. x86-64 only; elsewhere kAvailable is false.
#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <utility>

namespace sluice::gateway::test {

class SingleStep {
 public:
#if defined(__x86_64__)
  static constexpr bool kAvailable = true;
#else
  static constexpr bool kAvailable = false;
#endif

  /// `look` runs in a signal handler of this thread: it must not allocate.
  explicit SingleStep(std::function<void()> look) {
    look_ = std::move(look);
    steps_ = 0;
    struct sigaction action {};
    action.sa_handler = [](int) {
      ++steps_;
      look_();
    };
    ::sigaction(SIGTRAP, &action, &before_);
  }
  ~SingleStep() {
    ::sigaction(SIGTRAP, &before_, nullptr);
    look_ = nullptr;
  }
  SingleStep(const SingleStep&) = delete;
  SingleStep& operator=(const SingleStep&) = delete;

  template <typename Run>
  void run(Run&& run) {
    resume();
    run();
    pause();
  }
  /// Not for what the test itself does in between.
  void pause() {
    clear_trap();
    on_ = false;
  }
  void resume() {
    on_ = true;
    set_trap();
  }
  [[nodiscard]] bool on() const {
    return on_;
  }
  [[nodiscard]] std::uint64_t steps() const {
    return steps_;
  }

 private:
#if defined(__x86_64__)
  // Below the red zone, which belongs to the function that this is inlined into.
  static void set_trap() {
    asm volatile(
        "lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), "
        "%%rsp" ::
            : "memory", "cc");
  }
  static void clear_trap() {
    asm volatile(
        "lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), "
        "%%rsp" ::
            : "memory", "cc");
  }
#else
  static void set_trap() {
  }
  static void clear_trap() {
  }
#endif

  bool on_ = false;
  inline static std::function<void()> look_;
  inline static std::uint64_t steps_ = 0;
  struct sigaction before_ {};
};

/// While it lives, no stepping. `stepper` may be null.
class StepPause {
 public:
  explicit StepPause(SingleStep* stepper)
      : stepper_(stepper != nullptr && stepper->on() ? stepper : nullptr) {
    if (stepper_ != nullptr) stepper_->pause();
  }
  ~StepPause() {
    if (stepper_ != nullptr) stepper_->resume();
  }
  StepPause(const StepPause&) = delete;
  StepPause& operator=(const StepPause&) = delete;

 private:
  SingleStep* stepper_;
};

}  // namespace sluice::gateway::test
