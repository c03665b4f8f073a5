// What stands in front of a relay's state. This part is the same in every version, so that a
// program which can't read the rest still knows the listening sockets, which it keeps, and the
// other descriptors, which it closes. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/frame.h"

namespace sluice::relay {

/// Of what stands behind the preamble; +1 with every change of it.
inline constexpr std::uint32_t kStateVersion = 2;
/// Links, the broker's two connections.
inline constexpr std::size_t kCarriedDescriptorsMax = 8192;

struct Preamble {
  std::uint32_t version = kStateVersion;
  std::uint64_t total_bytes = 0;  ///< preamble and state
  int link_socket = -1;           ///< listens
  int admin_socket = -1;          ///< the same; -1: none
  std::vector<int> others;
};

[[nodiscard]] std::string encode(const Preamble& preamble);
/// Nothing: not the state of a relay, of any version. `bytes`: of the whole state.
[[nodiscard]] std::optional<Preamble> decode_preamble(proto::Bytes bytes);
[[nodiscard]] std::size_t preamble_bytes(const Preamble& preamble);

}  // namespace sluice::relay
