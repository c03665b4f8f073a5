#include "keeper/stream_position.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

namespace sluice::keeper {
namespace {

constexpr int kTries = 32;

// tcpi_state; the names are those of the kernel's include/net/tcp_states.h, which is not exported
// and whose place in glibc can't be included beside linux/tcp.h.
enum TcpState : unsigned {
  kFinWait1 = 4,
  kFinWait2 = 5,
  kTimeWait = 6,
  kClosed = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kClosing = 11,
};

bool fin_sent(unsigned state) {
  return state == kFinWait1 || state == kFinWait2 || state == kTimeWait || state == kLastAck ||
         state == kClosing;
}

bool fin_received(unsigned state) {
  return state == kCloseWait || state == kLastAck || state == kClosing || state == kTimeWait;
}

std::optional<tcp_info> info_of(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received ||
      info.tcpi_state == kClosed)
    return std::nullopt;
  return info;
}

}  // namespace

std::optional<Counters> stream_position(int socket) {
  std::optional<tcp_info> before = info_of(socket);
  // What is acknowledged or comes in between two calls moves from one number to the other.
  for (int i = 0; i < kTries && before; ++i) {
    int unacknowledged = 0;
    int unread = 0;
    if (::ioctl(socket, SIOCOUTQ, &unacknowledged) != 0 || ::ioctl(socket, SIOCINQ, &unread) != 0)
      return std::nullopt;
    const std::optional<tcp_info> after = info_of(socket);
    if (!after) return std::nullopt;
    if (after->tcpi_bytes_acked == before->tcpi_bytes_acked &&
        after->tcpi_bytes_received == before->tcpi_bytes_received &&
        after->tcpi_state == before->tcpi_state) {
      // A FIN has a place of its own in the sequence: sent, it counts in the first sum. Received,
      // it counts as a byte, and SIOCINQ leaves it out.
      const unsigned state = after->tcpi_state;
      return Counters{.sent = after->tcpi_bytes_acked + static_cast<unsigned>(unacknowledged) -
                              (fin_sent(state) ? 1U : 0U),
                      .received = after->tcpi_bytes_received - static_cast<unsigned>(unread) -
                                  (fin_received(state) ? 1U : 0U)};
    }
    before = after;
  }
  return std::nullopt;
}

}  // namespace sluice::keeper
