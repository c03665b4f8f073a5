// What a Redis subscriber connection brings, taken apart where it lies: enough of RESP2 for message
// and subscribe replies, no copies.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::fanout {

struct Push {
  enum class State { kWhole, kPartial, kBroken };
  State state = State::kPartial;
  std::size_t size = 0;  ///< bytes of the reply
  bool is_message = false;
  std::string_view channel{};
  std::string_view payload{};
};

[[nodiscard]] Push next_push(std::string_view bytes);

}  // namespace sluice::fanout
