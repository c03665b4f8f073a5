// A connection in mid-handshake as bytes that another process goes on from. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/handshake_state.h"

namespace sluice::gateway {

/// Empty: larger than the keeper takes (keeper::kPendingBytesMax).
[[nodiscard]] std::string encode_handshake(const HandshakeState& state);
/// Null: of another version, or nothing that encode_handshake() makes.
[[nodiscard]] std::optional<HandshakeState> decode_handshake(std::string_view bytes);

}  // namespace sluice::gateway
