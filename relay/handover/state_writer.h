// Numbers and texts of the state that a relay leaves to the next program of its process. Host byte
// order: the reader is the same machine. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "common/clock.h"
#include "proto/frame.h"

namespace sluice::relay {

class StateWriter {
 public:
  /// Takes all of what it is given, or says false.
  using Sink = std::function<bool(std::string_view)>;

  explicit StateWriter(Sink sink) : sink_(std::move(sink)) {}

  template <typename T>
  void number(T value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    append({reinterpret_cast<const char*>(&value), sizeof value});
  }
  void flag(bool value) { number<std::uint8_t>(value ? 1 : 0); }
  void time(TimePoint value) { number<std::int64_t>(value.time_since_epoch().count()); }
  void time(const std::optional<TimePoint>& value) {
    flag(value.has_value());
    if (value) time(*value);
  }
  void position(proto::Position value) {
    number(value.epoch);
    number(value.offset);
  }
  /// Length, then the bytes.
  void text(std::string_view value);
  /// A struct of nothing but 64-bit counters.
  template <typename T>
  void counters(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint64_t) == 0);
    text({reinterpret_cast<const char*>(&value), sizeof value});
  }

  /// Hands on what is left. False: the sink has refused something, now or before.
  [[nodiscard]] bool finish();

 private:
  void append(std::string_view bytes);

  Sink sink_;
  std::string buffer_;  ///< small: what is written is as large as the ring
  bool good_ = true;
};

}  // namespace sluice::relay
