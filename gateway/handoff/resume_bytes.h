// What libwebsockets must be fed behind its handshake to be where it was in a client's stream. It
// has only ever seen what the scanner passes on: whole or part headers of data frames, and their
// payload. Pure.
//
//   inside a message            an empty first fragment of its kind, which nobody must be told
//   inside a data frame         a header with what is left of it, its mask turned to fit
//   inside a data frame's head  the bytes of the head so far
//
// Of control frames under way libwebsockets knows nothing, and behind a stream's end it gets
// nothing.
#pragma once

#include <string>

#include "gateway/ws_scanner.h"

namespace sluice::gateway {

class ResumeBytes {
 public:
  /// At most 20 bytes; empty between two messages.
  [[nodiscard]] static std::string of(const WsScanner& scanner);
  /// of() begins with a fragment that the client never sent.
  [[nodiscard]] static bool made_up(const WsScanner& scanner) {
    return scanner.in_message_ && !scanner.ended_;
  }

 private:
  [[nodiscard]] static std::string rest_of_frame(const WsScanner& scanner);
};

}  // namespace sluice::gateway
