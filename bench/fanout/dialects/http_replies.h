// Counts the replies to pipelined requests in a stream of HTTP/1.1. Each must have a Content-Length
// and a status of 2xx: a publish that was refused ends the run. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::fanout {

class HttpReplies {
 public:
  /// False when a reply is an error or is none: for good.
  [[nodiscard]] bool feed(std::string_view bytes);
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  /// Takes the head at the front of what is there; false when it is not whole or bad.
  bool take_head();

  std::string bytes_;          ///< of a head that is not whole
  std::size_t body_left_ = 0;  ///< of the reply whose head is through
  bool in_body_ = false;
  bool broken_ = false;
  std::uint64_t count_ = 0;
};

}  // namespace sluice::fanout
