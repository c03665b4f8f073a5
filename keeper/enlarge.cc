#include "keeper/enlarge.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::keeper {
namespace {

[[nodiscard]] std::uint64_t whole_units(std::uint64_t bytes) {
  return bytes / kArenaUnit * kArenaUnit;
}

/// What nobody has written to is left out: it is zero in the new memory too.
void copy_arena(const SharedState& from, const SharedState& to) {
  const auto begin = static_cast<off_t>(from.header().arena_at);
  const auto end = begin + static_cast<off_t>(from.arena().size());
  for (off_t at = begin; at < end;) {
    const off_t data = ::lseek(from.fd(), at, SEEK_DATA);
    if (data < 0 || data >= end) return;
    const off_t hole = ::lseek(from.fd(), data, SEEK_HOLE);
    at = hole < 0 ? end : std::min(hole, end);
    std::memcpy(to.arena().data() + (data - begin), from.arena().data() + (data - begin),
                static_cast<std::size_t>(at - data));
  }
}

}  // namespace

bool too_small(const SharedState& state, const StateSize& size) {
  return state.slots().size() < size.slots || state.views().size() < size.views ||
         state.arena().size() < whole_units(size.arena_bytes);
}

Result<SharedState> enlarged(const SharedState& from, const StateSize& size) {
  auto made = SharedState::create(
      {.slots = std::max(size.slots, static_cast<std::uint32_t>(from.slots().size())),
       .views = std::max(size.views, static_cast<std::uint32_t>(from.views().size())),
       .arena_bytes = std::max<std::uint64_t>(size.arena_bytes, from.arena().size())});
  if (!made) return made;
  std::copy(from.slots().begin(), from.slots().end(), made->slots().begin());
  std::copy(from.views().begin(), from.views().end(), made->views().begin());
  copy_arena(from, *made);
  StateHeader& header = made->header();
  header.link = from.header().link;
  header.link_now = from.header().link_now;
  header.frozen_micros = from.header().frozen_micros;
  header.quiescent = from.header().quiescent;
  return made;
}

}  // namespace sluice::keeper
