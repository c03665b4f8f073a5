// Lies for the soak's own test: a soak that misses one of these proves nothing.
#pragma once

#include <cstddef>
#include <string>

namespace sluice::soak {

enum class Lie { kNone, kDuplicate, kLose, kSwap, kForeign, kInvent, kCut };

/// Changes what a gateway sends to a client on the wire, whole frames at a time.
class Liar {
 public:
  explicit Liar(Lie lie) : lie_(lie) {}
  /// Looks at a piece of the server's bytes, lies now and then.
  void change(std::string& bytes);

 private:
  Lie lie_;
  std::size_t seen_ = 0;
};

}  // namespace sluice::soak
