#include "relay/output_batch.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

/// A buffer that a burst has grown is given back.
constexpr std::size_t kKeepBytesMax = 64U << 10U;

}  // namespace

void OutputBatch::add_message(const proto::HeaderBytes& header, RefPtr<const RingEntry> entry) {
  text_.append(reinterpret_cast<const char*>(header.data()), header.size());
  payload_bytes_ += entry->body().size();
  payloads_.push_back(Payload{text_.size(), std::move(entry)});
}

bool OutputBatch::full() const {
  return payloads_.size() >= kBatchMessagesMax ||
         text_.size() + payload_bytes_ >= kBatchBytesTarget;
}

std::size_t OutputBatch::pieces(std::span<iovec> out) const {
  std::size_t skip = consumed_;
  std::size_t used = 0;
  const auto add = [&](const void* data, std::size_t bytes) {
    const std::size_t skipped = std::min(skip, bytes);
    skip -= skipped;
    if (bytes == skipped || used == out.size()) return;
    auto* from = static_cast<const char*>(data) + skipped;
    out[used++] = iovec{const_cast<char*>(from), bytes - skipped};
  };
  std::size_t text_begin = 0;
  for (const Payload& payload : payloads_) {
    add(text_.data() + text_begin, payload.text_end - text_begin);
    add(payload.entry->body().data(), payload.entry->body().size());
    text_begin = payload.text_end;
  }
  add(text_.data() + text_begin, text_.size() - text_begin);
  return used;
}

void OutputBatch::consume(std::size_t bytes) {
  CHECK(bytes <= this->bytes());
  consumed_ += bytes;
  if (this->bytes() != 0) return;
  if (text_.capacity() > kKeepBytesMax) text_.shrink_to_fit();
  text_.clear();
  payloads_.clear();
  payload_bytes_ = 0;
  consumed_ = 0;
}

}  // namespace sluice::relay
