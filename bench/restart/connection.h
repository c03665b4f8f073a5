// A client's socket: writes pieces when each is due, keeps what was read until it is worked off.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/restart/manner.h"
#include "common/unique_fd.h"
#include "tests/process/support/socket.h"

namespace sluice::restart {

/// Set before connecting; 0: the system's.
struct SocketSizes {
  int receive_buffer = 0;
  int segment_bytes = 0;
};

class Connection {
 public:
  /// Connects without waiting; `first` leaves as soon as it may. Throws HarnessError when refused
  /// at once.
  Connection(const test::Endpoint& to, std::string first, SocketSizes sizes);

  [[nodiscard]] int fd() const { return fd_.get(); }

  // ---- out
  void queue(std::vector<Piece> pieces, TimePoint now);
  /// Writes what is due. Appends the serials of messages whose last byte has left.
  void flush(TimePoint now, std::vector<std::uint32_t>& sent);
  /// The socket takes no more: flush when it is writable.
  [[nodiscard]] bool stuck() const { return stuck_; }
  /// When the next piece is due; nothing: none waits.
  [[nodiscard]] std::optional<TimePoint> next_due() const;
  [[nodiscard]] bool idle() const { return out_.empty(); }

  // ---- in
  enum class Read { kData, kNothing, kEnd, kError };
  /// One recv(2); with kError errno says why.
  [[nodiscard]] Read read();
  [[nodiscard]] std::string_view unread() const { return std::string_view(in_).substr(in_at_); }
  void consume(std::size_t bytes) { in_at_ += bytes; }

 private:
  struct Waiting {
    std::string bytes;
    TimePoint due;
    std::uint32_t serial = 0;
  };

  UniqueFd fd_;
  std::deque<Waiting> out_;
  TimePoint last_due_{};
  bool stuck_ = true;  ///< until it is connected
  std::string in_;
  std::size_t in_at_ = 0;
};

}  // namespace sluice::restart
