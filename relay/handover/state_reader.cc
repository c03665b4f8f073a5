#include "relay/handover/state_reader.h"

namespace sluice::relay {
namespace {

/// 73 years.
constexpr std::int64_t kNanosMax = std::int64_t{1} << 61U;

}  // namespace

proto::Bytes StateReader::take(std::size_t bytes, const char* field) {
  if (bytes > rest_.size()) fault(field, "is cut short");
  if (!good()) return {};
  const proto::Bytes taken = rest_.first(bytes);
  rest_ = rest_.subspan(bytes);
  return taken;
}

bool StateReader::flag(const char* field) {
  const auto value = number<std::uint8_t>(field);
  require(value <= 1, field, "is neither yes nor no");
  return value == 1;
}

TimePoint StateReader::time(const char* field) {
  const auto nanos = number<std::int64_t>(field);
  require(nanos > -kNanosMax && nanos < kNanosMax, field, "is no time");
  return good() ? TimePoint(Duration(nanos)) : TimePoint{};
}

std::optional<TimePoint> StateReader::optional_time(const char* field) {
  if (!flag(field)) return std::nullopt;
  return time(field);
}

proto::Position StateReader::position(const char* field) {
  proto::Position position;
  position.epoch = number<std::uint64_t>(field);
  position.offset = number<std::uint64_t>(field);
  return position;
}

std::string_view StateReader::text(const char* field, std::uint64_t bytes_max) {
  const auto bytes = number<std::uint64_t>(field);
  require(bytes <= bytes_max, field, "is longer than allowed");
  require(bytes <= rest_.size(), field, "is cut short");
  if (!good()) return {};
  return proto::as_text(take(static_cast<std::size_t>(bytes), field));
}

std::size_t StateReader::count(const char* field, std::size_t bytes_each) {
  const auto many = number<std::uint64_t>(field);
  require(many <= rest_.size() / bytes_each, field, "are more than there is room for");
  return good() ? static_cast<std::size_t>(many) : 0;
}

void StateReader::fault(const char* field, const char* what) {
  if (!good()) return;
  error_ = std::string(field) + " " + what;
  rest_ = {};
}

}  // namespace sluice::relay
