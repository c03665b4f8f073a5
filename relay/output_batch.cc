#include "relay/output_batch.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

/// A buffer that long answers have grown is given back, one that whole batches need is kept.
constexpr std::size_t kKeepBytesMax = 2 * kBatchTextBytesTarget;

}  // namespace

void OutputBatch::add(const proto::HeaderBytes& header, const RingEntry& entry) {
  text_.append(reinterpret_cast<const char*>(header.data()), header.size());
  const proto::Bytes body = entry.body();
  if (body.size() <= kCopiedBodyBytesMax) {
    text_.append(proto::as_text(body));
    return;
  }
  shared_bytes_ += body.size();
  shared_.push_back(Shared{text_.size(), RefPtr<const RingEntry>(&entry)});
}

bool OutputBatch::filled(std::size_t part) const {
  return shared_.size() >= bounds_.shared_bodies / part ||
         text_.size() >= bounds_.text_bytes / part ||
         text_.size() + shared_bytes_ >= bounds_.bytes / part;
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
  for (const Shared& shared : shared_) {
    add(text_.data() + text_begin, shared.text_end - text_begin);
    add(shared.entry->body().data(), shared.entry->body().size());
    text_begin = shared.text_end;
  }
  add(text_.data() + text_begin, text_.size() - text_begin);
  return used;
}

void OutputBatch::consume(std::size_t bytes) {
  CHECK(bytes <= this->bytes());
  consumed_ += bytes;
  if (this->bytes() != 0) return;
  text_.clear();
  if (text_.capacity() > kKeepBytesMax) text_.shrink_to_fit();
  shared_.clear();
  shared_bytes_ = 0;
  messages_ = 0;
  consumed_ = 0;
}

}  // namespace sluice::relay
