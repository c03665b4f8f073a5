#include "gateway/send_batch.h"

#include "common/check.h"

namespace sluice::gateway {

SendBatch::SendBatch() : vectors_(kVectorsPerBatch) {
  ops_.reserve(kSendsPerBatch);
  entries_.reserve(kSendsPerBatch);
}

void SendBatch::add(ClientSession& session, std::span<const RunView> due) {
  CHECK(!full() && !due.empty() && due.size() <= kFramesPerSend);
  Entry entry{.first_view = static_cast<std::uint32_t>(views_.size()),
              .view_count = static_cast<std::uint32_t>(due.size())};
  for (std::size_t i = 0; i < due.size(); ++i) {
    vectors_[vectors_used_ + i] = {const_cast<std::uint8_t*>(due[i].data()), due[i].size()};
    entry.bytes += static_cast<std::uint32_t>(due[i].size());
  }
  views_.insert(views_.end(), due.begin(), due.end());
  add_op(session, due.size(), entry);
}

void SendBatch::add_outbox(ClientSession& session) {
  CHECK(!full());
  const std::size_t n =
      session.outbox.fill(std::span(vectors_).subspan(vectors_used_, kFramesPerSend));
  Entry entry{.parts = static_cast<std::uint32_t>(n)};
  for (std::size_t i = 0; i < n; ++i)
    entry.bytes += static_cast<std::uint32_t>(vectors_[vectors_used_ + i].iov_len);
  add_op(session, n, entry);
}

void SendBatch::add_op(ClientSession& session, std::size_t vector_count, Entry entry) {
  entry.session = &session;
  entry.generation = session.ref.generation;
  entries_.push_back(entry);
  ops_.push_back({.fd = session.fd,
                  .slot = session.ref.index,
                  .vectors = &vectors_[vectors_used_],
                  .vector_count = static_cast<std::uint32_t>(vector_count)});
  vectors_used_ += vector_count;
}

void SendBatch::clear() {
  ops_.clear();
  entries_.clear();
  views_.clear();
  vectors_used_ = 0;
}

}  // namespace sluice::gateway
