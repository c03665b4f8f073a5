// Randomness is injected, like time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>

namespace sluice {

class Random {
 public:
  virtual ~Random() = default;
  [[nodiscard]] virtual std::uint64_t next() = 0;
  /// Uniform in [0, bound); bound must not be 0. The modulo bias is below 2^-32 for bounds that fit
  /// 32 bits.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

/// getrandom(2), some numbers ahead. Ids made from it can't be guessed.
class SystemRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override;

 private:
  void refill();

  std::array<std::uint64_t, 32> ahead_{};
  std::size_t left_ = 0;
};

/// Repeatable: tests and the simulator.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  [[nodiscard]] std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace sluice
