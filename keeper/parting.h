// The last bytes for a client that nobody came for. Pure.
#pragma once

#include <cstddef>
#include <span>

#include "keeper/recovery.h"

namespace sluice::keeper {

struct Parting {
  bool can_speak = false;            ///< false: nothing may be sent, a frame could be under way
  std::span<const std::byte> rest;   ///< of the frame under way
  std::span<const std::byte> close;  ///< a close frame of code 1012; empty: the rest ends with one,
                                     ///< or one has left
};

/// `arena`: what `recovery` was made from; `rest` points into it.
[[nodiscard]] Parting parting_of(const Recovery& recovery, std::span<const std::byte> arena);

}  // namespace sluice::keeper
