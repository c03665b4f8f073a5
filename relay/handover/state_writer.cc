#include "relay/handover/state_writer.h"

namespace sluice::relay {
namespace {

constexpr std::size_t kChunkBytes = 256U << 10U;

}  // namespace

void StateWriter::append(std::string_view bytes) {
  buffer_.append(bytes);
  if (buffer_.size() >= kChunkBytes) (void)finish();
}

void StateWriter::text(std::string_view value) {
  number<std::uint64_t>(value.size());
  append(value);
}

bool StateWriter::finish() {
  good_ = good_ && sink_(buffer_);
  buffer_.clear();
  return good_;
}

}  // namespace sluice::relay
