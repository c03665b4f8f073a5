// Step 2: puts a client's message together from fragments. That they follow each other rightly,
// that a text is UTF-8 and that the message keeps its bound, the scanner has seen to before.
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
};

struct Input {
  InputVerdict verdict = InputVerdict::kMore;
  proto::Bytes message;
};

/// `message` of the answer points into `fragment` when the message came in one piece, else into
/// `state`.
[[nodiscard]] Input add_fragment(InboundMessage& state, const Fragment& fragment);

/// After a kMessage has been used: gives an assembled message's memory back.
void release_message(InboundMessage& state);

}  // namespace sluice::gateway
