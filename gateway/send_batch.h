// Step 14: sends that leave together, gathered until the slice of the loop turn ends. Pure: what
// they are made of, and where in memory; who makes the system calls is the Transport's business.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "gateway/client_session.h"
#include "gateway/limits.h"
#include "gateway/transport.h"

namespace sluice::gateway {

class SendBatch {
 public:
  /// A send under way: what was to be sent, and for whom.
  struct Entry {
    ClientSession* session = nullptr;
    std::uint32_t generation = 0;  ///< the session is still who it was
    std::uint32_t bytes = 0;
    std::uint32_t first_view = 0;
    std::uint32_t view_count = 0;  ///< 0: it is the front of the client's outbox
    std::uint32_t parts = 0;       ///< of the outbox, so many
  };

  SendBatch();

  [[nodiscard]] bool empty() const { return ops_.empty(); }
  /// The next one may not fit: send first.
  [[nodiscard]] bool full() const {
    return ops_.size() >= kSendsPerBatch || vectors_used_ + kFramesPerSend > vectors_.size();
  }
  /// At most kFramesPerSend views, alive until clear().
  void add(ClientSession& session, std::span<const RunView> due);
  /// The front of its outbox.
  void add_outbox(ClientSession& session);

  [[nodiscard]] std::span<SendOp> ops() { return ops_; }
  [[nodiscard]] std::span<const Entry> entries() const { return entries_; }
  [[nodiscard]] const Entry& entry(std::size_t i) const { return entries_[i]; }
  [[nodiscard]] std::span<const RunView> views(const Entry& entry) const {
    return std::span(views_).subspan(entry.first_view, entry.view_count);
  }
  void clear();

 private:
  void add_op(ClientSession& session, std::size_t vector_count, Entry entry);

  std::vector<SendOp> ops_;
  std::vector<Entry> entries_;
  std::vector<RunView> views_;
  std::vector<iovec> vectors_;  ///< never grows: the ops point into it
  std::size_t vectors_used_ = 0;
};

}  // namespace sluice::gateway
