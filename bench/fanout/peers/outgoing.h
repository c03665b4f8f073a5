// What a publisher has to write to its one connection: appended, then sent as far as the socket
// takes it.
#pragma once

#include <string>

namespace sluice::fanout {

class Outgoing {
 public:
  /// Append here.
  [[nodiscard]] std::string& tail() { return bytes_; }
  /// True when nothing is left. False: the socket is full, or has ended, which reading will tell.
  [[nodiscard]] bool send_to(int fd);

 private:
  std::string bytes_;
  std::size_t sent_ = 0;
};

}  // namespace sluice::fanout
