// Descriptors that came from an earlier program of this process: owned here until somebody takes
// them; what nobody takes is closed.
#pragma once

#include <unordered_map>
#include <vector>

#include "common/unique_fd.h"

namespace sluice::relay {

class Descriptors {
 public:
  /// Owns those of `numbers` that are open sockets, close-on-exec from now on.
  explicit Descriptors(const std::vector<int>& numbers);

  [[nodiscard]] bool has(int number) const { return owned_.contains(number); }
  /// Invalid: it is not there, or has been taken.
  [[nodiscard]] UniqueFd take(int number);

 private:
  std::unordered_map<int, UniqueFd> owned_;
};

/// Whether the next program of this process inherits it.
void set_inherited(int fd, bool on);

}  // namespace sluice::relay
