// Blocking stream sockets with deadlines, for clients that a test writes by hand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/unique_fd.h"
#include "tests/process/support/deadline.h"

namespace sluice::test {

/// Where something listens: TCP when `path` is empty.
struct Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string path;
  std::string
      source;  ///< local address to connect from (any of 127.0.0.0/8); empty = the system's choice

  /// "127.0.0.1:8080" or "unix:/path".
  static Endpoint parse(const std::string& text);
  [[nodiscard]] std::string text() const;
};

enum class ReadEnd { kData, kEof, kReset, kTimeout };

struct ReadResult {
  ReadEnd end = ReadEnd::kTimeout;
  std::string data;
};

class Socket {
 public:
  Socket() = default;
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}
  /// `receive_buffer` in bytes is set before connecting, so that the window stays as small; 0 =
  /// default.
  static Socket connect(const Endpoint& to, Millis wait = 5s, int receive_buffer = 0);

  [[nodiscard]] int fd() const { return fd_.get(); }
  void send_all(std::string_view bytes, Millis wait = 10s);
  /// False when the peer has closed or reset.
  [[nodiscard]] bool try_send(std::string_view bytes, Millis wait = 10s);
  ReadResult read_some(Millis wait);
  /// Reads until the end or the deadline.
  std::string read_all(Millis wait);
  void shut_write();
  /// RST instead of FIN.
  void reset();
  void close() { fd_.reset(); }

 private:
  UniqueFd fd_;
};

/// A TCP port of the loopback that is free, and nobody else's until this process ends; outside the
/// range that the kernel deals out by itself.
[[nodiscard]] std::uint16_t free_port();
/// A listening socket for `fd:N`, or as a port that is taken. Close-on-exec.
[[nodiscard]] UniqueFd listen_tcp(std::uint16_t port, std::uint16_t* bound);
[[nodiscard]] UniqueFd listen_unix(const std::string& path);
/// A connected non-blocking or blocking socket without waiting for a handshake of any kind.
/// `segment_bytes`: TCP's largest segment; a small one keeps the peer's send buffer small as well.
[[nodiscard]] UniqueFd open_socket(const Endpoint& to, bool blocking, int receive_buffer,
                                   int segment_bytes = 0);

}  // namespace sluice::test
