// A Redis client of the tests' own (RESP2), for looking into a server beside the relay.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/process/support/socket.h"

namespace sluice::test {

class RespClient {
 public:
  explicit RespClient(const Endpoint& to) : socket_(Socket::connect(to)) {}

  /// Sends a command, returns its answer as text: strings as they are, integers in decimal, arrays
  /// joined by newlines, nil as "(nil)". An error answer throws.
  std::string command(const std::vector<std::string>& words, Millis wait = 5s);
  /// The next answer or push without sending.
  std::string read_reply(Millis wait = 5s);

 private:
  std::string line(const Deadline& deadline);
  std::string exactly(std::size_t bytes, const Deadline& deadline);
  void fill(const Deadline& deadline);
  std::string reply(const Deadline& deadline);

  Socket socket_;
  std::string buffer_;
};

}  // namespace sluice::test
