// Step 2: puts a client's message together from fragments. UTF-8 is checked as it comes, so that a
// text fails at its bad byte (RFC 6455 8.1); the size bound holds for the whole message, however it
// is cut.
#pragma once

#include <optional>

#include "gateway/client_session.h"
#include "proto/frame.h"

namespace sluice::gateway {

struct Fragment {
  proto::Bytes bytes;
  bool first = false;  ///< of a message
  bool final = false;  ///< the last of a message
  bool text = false;   ///< of the message; meaningful with every fragment
};

enum class InputVerdict {
  kMore,     ///< nothing to do yet
  kMessage,  ///< the message is whole: `message` holds it until the next call
  kNotUtf8,  ///< close 1007
  kTooBig,   ///< close 1009
};

struct Input {
  InputVerdict verdict = InputVerdict::kMore;
  proto::Bytes message;
};

/// `message` of the answer points into `fragment` when the message came in one piece, else into
/// `state`.
[[nodiscard]] Input add_fragment(InboundMessage& state, const Fragment& fragment,
                                 std::size_t bytes_max);

/// After a kMessage has been used: gives an assembled message's memory back.
void release_message(InboundMessage& state);

}  // namespace sluice::gateway
