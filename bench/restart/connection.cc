#include "bench/restart/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sluice::restart {

Connection::Connection(const test::Endpoint& to, std::string first, SocketSizes sizes)
    : fd_(test::open_socket(to, false, sizes.receive_buffer, sizes.segment_bytes)) {
  out_.push_back({std::move(first), TimePoint{}, 0});
}

void Connection::queue(std::vector<Piece> pieces, TimePoint now) {
  for (Piece& piece : pieces) {
    last_due_ = std::max(last_due_, now) + piece.pause;
    out_.push_back({std::move(piece.bytes), last_due_, piece.serial});
  }
}

void Connection::flush(TimePoint now, std::vector<std::uint32_t>& sent) {
  stuck_ = false;
  while (!out_.empty() && out_.front().due <= now) {
    Waiting& piece = out_.front();
    const ssize_t took =
        ::send(fd_.get(), piece.bytes.data(), piece.bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (took < 0) {
      stuck_ = true;  // an error shows at the next read
      return;
    }
    piece.bytes.erase(0, static_cast<std::size_t>(took));
    if (!piece.bytes.empty()) continue;
    if (piece.serial != 0) sent.push_back(piece.serial);
    out_.pop_front();
  }
}

std::optional<TimePoint> Connection::next_due() const {
  if (out_.empty()) return std::nullopt;
  return out_.front().due;
}

Connection::Read Connection::read() {
  static thread_local std::array<char, 65536> buffer;
  const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Read::kNothing : Read::kError;
  if (got == 0) return Read::kEnd;
  if (in_at_ == in_.size()) {
    in_.clear();
    in_at_ = 0;
  } else if (in_at_ > 0) {
    in_.erase(0, in_at_);
    in_at_ = 0;
  }
  in_.append(buffer.data(), static_cast<std::size_t>(got));
  return Read::kData;
}

}  // namespace sluice::restart
