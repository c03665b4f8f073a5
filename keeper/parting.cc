#include "keeper/parting.h"

#include <array>
#include <cstring>

#include "keeper/arena.h"

namespace sluice::keeper {
namespace {

/// RFC 6455 5.5.1: FIN and opcode 8, 17 bytes: 1012 (IANA: Service Restart), "service restart".
constexpr std::array<unsigned char, 19> kClose = {0x88, 17,  0x03, 0xf4, 's', 'e', 'r',
                                                  'v',  'i', 'c',  'e',  ' ', 'r', 'e',
                                                  's',  't', 'a',  'r',  't'};

}  // namespace

Parting parting_of(const Recovery& recovery, std::span<const std::byte> arena) {
  Parting parting;
  if (!recovery.out_known) return parting;
  const bool close_queued = (recovery.flags & kCloseQueued) != 0;
  bool closed = close_queued && recovery.pending.empty();
  if (!recovery.pending.empty()) {
    const View& first = recovery.pending.front();
    const auto run = Arena::data_of(arena, first.run);
    BlockHeader header;
    std::memcpy(&header, arena.data() + first.run * kArenaUnit, sizeof header);
    const auto end = frame_end(run, header.used, first.begin);
    // A frame that ends outside of what was to be sent is none.
    if (!end || *end > first.end) return parting;
    parting.rest = run.subspan(first.begin, *end - first.begin);
    closed =
        close_queued && !parting.rest.empty() && *end == first.end && recovery.pending.size() == 1;
  }
  parting.can_speak = true;
  if (!closed) parting.close = std::as_bytes(std::span(kClose));
  return parting;
}

}  // namespace sluice::keeper
