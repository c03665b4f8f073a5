// What an earlier program of this process has left, as the one that follows finds it: --resume-fd.
#pragma once

#include <optional>
#include <string>

#include "common/unique_fd.h"
#include "relay/handover/descriptors.h"
#include "relay/handover/preamble.h"
#include "relay/handover/sealed_memory.h"

namespace sluice::relay {

/// Never an error: what can't be read is a problem for the log, and a start as after a crash, with
/// the listening sockets as far as they are known.
struct Takeover {
  explicit Takeover(int state_fd);

  /// Empty: state() is of this version and may be read.
  std::string problem;
  UniqueFd link_socket;   ///< invalid: there is none
  UniqueFd admin_socket;  ///< the same
  /// The others, closed with this if nobody takes them.
  std::optional<Descriptors> descriptors;

  [[nodiscard]] proto::Bytes state() const { return state_; }

 private:
  void read_preamble();

  std::optional<MappedState> memory_;
  proto::Bytes state_;
};

}  // namespace sluice::relay
