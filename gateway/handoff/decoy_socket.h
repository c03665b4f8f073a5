// libwebsockets shakes hands before it takes a connection; a client that shook hands with another
// process long ago must not hear of it, and its socket, which others hold too, must not be shut
// down when something fails. So libwebsockets is given one end of this pair, says what it has to
// say to it, and only then finds the client's socket under the same descriptor number.
#pragma once

#include "common/result.h"
#include "common/unique_fd.h"

namespace sluice::gateway {

class DecoySocket {
 public:
  [[nodiscard]] static Result<DecoySocket> open();

  /// Once: the end for libwebsockets, which closes it when it fails.
  [[nodiscard]] UniqueFd give() { return std::move(theirs_); }
  /// What was written to it is one whole 101 and nothing else.
  [[nodiscard]] bool shaken() const;
  /// `socket` takes the place of the end that was given, which still has `number`. False: it has
  /// not, and the descriptor is what it was. The event loop must not have waited since give(), or
  /// it waits for the wrong one for ever.
  [[nodiscard]] static bool replace(int number, const UniqueFd& socket);

 private:
  DecoySocket(UniqueFd ours, UniqueFd theirs)
      : ours_(std::move(ours)), theirs_(std::move(theirs)) {}

  UniqueFd ours_;
  UniqueFd theirs_;
};

}  // namespace sluice::gateway
