// How a client writes: at once, byte by byte, in fragments with pings between them, or with a frame
// left half for seconds. Cuts what it has to say into pieces with pauses; moves no byte. Pure.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace sluice::restart {

enum class Manner {
  kOrdinary,
  kDribble,    ///< a few bytes per write, many writes
  kFragments,  ///< messages in fragments, pings between them
  kHalf,       ///< leaves a frame half written for seconds
  kLarge,      ///< large messages
  kSlow,       ///< reads rarely, with a small window
};
[[nodiscard]] const char* name_of(Manner manner);

/// Every second client is ordinary unless nobody is hostile.
[[nodiscard]] Manner manner_of(std::uint32_t client, bool hostile);

struct Piece {
  std::string bytes;
  Duration pause{};          ///< from the piece before to this one
  std::uint32_t serial = 0;  ///< ends the message of this serial; 0: ends none
};

/// Payload of the client's next ping, each told once and in the order of the bytes.
using NextPing = std::function<std::string()>;

/// A text message. `serial` is the message's, for Piece::serial.
[[nodiscard]] std::vector<Piece> say(Manner manner, std::string_view text, std::uint32_t serial,
                                     const NextPing& next_ping, std::mt19937_64& random);
/// A ping alone.
[[nodiscard]] std::vector<Piece> ping(Manner manner, const NextPing& next_ping,
                                      std::mt19937_64& random);
/// How long a message of this manner is.
[[nodiscard]] std::size_t message_bytes(Manner manner, std::mt19937_64& random);

}  // namespace sluice::restart
