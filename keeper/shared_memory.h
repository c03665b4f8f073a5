// The state memory as a mapping: made by a gateway, opened by its successor and by the keeper.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/result.h"
#include "common/unique_fd.h"
#include "keeper/shared_state.h"

namespace sluice::keeper {

struct StateSize {
  std::uint32_t slots = 0;
  std::uint32_t views = 0;
  std::uint64_t arena_bytes = 0;  ///< pages that nobody has written to cost nothing
};

class SharedState {
 public:
  /// A new memfd, all slots free. It can't be made smaller by anybody (F_SEAL_SHRINK), so that no
  /// access faults.
  [[nodiscard]] static Result<SharedState> create(const StateSize& size);
  /// Maps what another process made. kInvalid: of another version, or it contradicts itself; only
  /// the regions' bounds are judged here, not what is in them.
  [[nodiscard]] static Result<SharedState> open(UniqueFd memfd);
  SharedState(SharedState&& other) noexcept;
  SharedState& operator=(SharedState&& other) noexcept;
  SharedState(const SharedState&) = delete;
  SharedState& operator=(const SharedState&) = delete;
  ~SharedState();

  /// Of the memfd; stays ours.
  [[nodiscard]] int fd() const { return memfd_.get(); }
  [[nodiscard]] StateHeader& header() const { return *header_; }
  [[nodiscard]] std::span<Slot> slots() const { return slots_; }
  [[nodiscard]] std::span<View> views() const { return views_; }
  [[nodiscard]] std::span<std::byte> arena() const { return arena_; }

 private:
  SharedState(UniqueFd memfd, std::byte* base, std::size_t bytes);
  void point();

  UniqueFd memfd_;
  std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
  StateHeader* header_ = nullptr;
  std::span<Slot> slots_;
  std::span<View> views_;
  std::span<std::byte> arena_;
};

}  // namespace sluice::keeper
