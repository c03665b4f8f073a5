#include "bench/restart/manner.h"

#include <algorithm>
#include <array>

#include "bench/restart/message.h"
#include "tests/process/support/ws_wire.h"

namespace sluice::restart {
namespace {

using namespace std::chrono_literals;
using test::client_frame;
using test::WsOpcode;

constexpr std::size_t kPiecesMax = 60;
constexpr std::size_t kFragmentsMax = 5;

std::uint64_t below(std::mt19937_64& random, std::uint64_t bound) {
  return random() % bound;
}

Duration up_to(std::mt19937_64& random, std::chrono::milliseconds most) {
  return std::chrono::milliseconds(below(random, static_cast<std::uint64_t>(most.count()) + 1));
}

/// Some bytes at a time: one to seven, more where that would be too many pieces.
std::vector<Piece> dribbled(const std::string& bytes, std::mt19937_64& random) {
  const std::size_t least = bytes.size() / kPiecesMax + 1;
  std::vector<Piece> pieces;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min(least + below(random, 7), bytes.size() - at);
    pieces.push_back({bytes.substr(at, size), up_to(random, 20ms)});
    at += size;
  }
  return pieces;
}

/// Cut in two anywhere, mostly inside the frame's head; the rest comes seconds later.
std::vector<Piece> half(const std::string& bytes, std::mt19937_64& random) {
  const std::size_t within =
      below(random, 2) == 0 ? std::min<std::size_t>(bytes.size(), 8) : bytes.size();
  const std::size_t cut = 1 + below(random, within - 1);
  return {{bytes.substr(0, cut), {}}, {bytes.substr(cut), 500ms + up_to(random, 3000ms)}};
}

std::vector<Piece> fragments(std::string_view text, const NextPing& next_ping,
                             std::mt19937_64& random) {
  const std::size_t count = 2 + below(random, kFragmentsMax - 1);
  std::vector<Piece> pieces;
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const bool last = i + 1 == count;
    // Empty fragments are allowed, and come.
    const std::size_t size = last ? text.size() - at : below(random, text.size() - at + 1);
    const WsOpcode opcode = i == 0 ? WsOpcode::kText : WsOpcode::kContinuation;
    pieces.push_back({client_frame(opcode, text.substr(at, size), last), up_to(random, 400ms)});
    if (!last && below(random, 2) == 0)
      pieces.push_back({client_frame(WsOpcode::kPing, next_ping()), up_to(random, 200ms)});
    at += size;
  }
  return pieces;
}

std::vector<Piece> cut_up(Manner manner, const std::string& frame, std::mt19937_64& random) {
  if (manner == Manner::kDribble) return dribbled(frame, random);
  if (manner == Manner::kHalf) return half(frame, random);
  return {{frame, {}}};
}

}  // namespace

const char* name_of(Manner manner) {
  static constexpr std::array kNames{"ordinary", "dribble", "fragments", "half", "large", "slow"};
  return kNames.at(static_cast<std::size_t>(manner));
}

Manner manner_of(std::uint32_t client, bool hostile) {
  static constexpr std::array kHostile{Manner::kDribble, Manner::kSlow, Manner::kFragments,
                                       Manner::kHalf, Manner::kLarge};
  if (!hostile || client % 2 == 0) return Manner::kOrdinary;
  return kHostile.at(client / 2 % kHostile.size());
}

std::vector<Piece> say(Manner manner, std::string_view text, std::uint32_t serial,
                       const NextPing& next_ping, std::mt19937_64& random) {
  std::vector<Piece> pieces = manner == Manner::kFragments
                                  ? fragments(text, next_ping, random)
                                  : cut_up(manner, client_frame(WsOpcode::kText, text), random);
  pieces.back().serial = serial;
  return pieces;
}

std::vector<Piece> ping(Manner manner, const NextPing& next_ping, std::mt19937_64& random) {
  return cut_up(manner, client_frame(WsOpcode::kPing, next_ping()), random);
}

std::size_t message_bytes(Manner manner, std::mt19937_64& random) {
  if (manner == Manner::kLarge) return (8U << 10U) + below(random, 40U << 10U);
  return 60 + below(random, 400);
}

}  // namespace sluice::restart
