// Takes a relay's state apart and trusts nothing of it: every number is checked by whoever asks for
// it, the first fault sticks, and from then on everything reads as 0. Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "common/clock.h"
#include "proto/frame.h"

namespace sluice::relay {

class StateReader {
 public:
  /// Views of texts live as long as `bytes`.
  explicit StateReader(proto::Bytes bytes) : rest_(bytes) {}

  template <typename T>
  [[nodiscard]] T number(const char* field) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    T value{};
    const proto::Bytes bytes = take(sizeof value, field);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  [[nodiscard]] bool flag(const char* field);
  /// Far enough from the ends of the type that differences mean something.
  [[nodiscard]] TimePoint time(const char* field);
  [[nodiscard]] std::optional<TimePoint> optional_time(const char* field);
  [[nodiscard]] proto::Position position(const char* field);
  [[nodiscard]] std::string_view text(const char* field, std::uint64_t bytes_max);
  /// How many come, each with at least `bytes_each`: never more than what is left can hold.
  [[nodiscard]] std::size_t count(const char* field, std::size_t bytes_each);
  template <typename T>
  [[nodiscard]] T counters(const char* field) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    const std::string_view bytes = text(field, sizeof value);
    if (bytes.size() != sizeof value) fault(field, "are other ones");
    if (good()) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  /// `what` continues the sentence that the field begins.
  void fault(const char* field, const char* what);
  /// A rule that the writer keeps.
  void require(bool holds, const char* field, const char* what) {
    if (!holds) fault(field, what);
  }
  void must_end() { require(rest_.empty(), "the state", "has bytes behind its end"); }
  [[nodiscard]] bool good() const { return error_.empty(); }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  [[nodiscard]] proto::Bytes take(std::size_t bytes, const char* field);

  proto::Bytes rest_;
  std::string error_;
};

}  // namespace sluice::relay
