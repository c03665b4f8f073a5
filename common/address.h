// Where daemons listen and what they dial, as flags have it: ADDR:PORT, unix:PATH, fd:N.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/unique_fd.h"

namespace sluice {

struct Address {
  enum class Kind { kTcp, kUnix, kFd };
  Kind kind = Kind::kTcp;
  std::string host;  ///< TCP: a numeric address; "*": all of IPv4
  std::uint16_t port = 0;
  std::string path;  ///< Unix
  int fd = -1;       ///< inherited from whoever started us
};

/// "127.0.0.1:80", "[::1]:80", "*:8080", "unix:/run/x.sock", "fd:3". Port 0: the kernel picks one.
[[nodiscard]] Result<Address> parse_address(std::string_view text);
[[nodiscard]] std::string to_string(const Address& address);

struct ListenOptions {
  int backlog = 4096;
  unsigned unix_mode = 0660;
  bool unix_packets = false;  ///< Unix: SOCK_SEQPACKET, not SOCK_STREAM
};

/// A listening socket, non-blocking and close-on-exec. A Unix path on which somebody answers is
/// refused (kInUse), a stale socket is replaced, anything else at that path is refused. Messages
/// name the address and the remedy.
[[nodiscard]] Result<UniqueFd> listen_on(const Address& address, const ListenOptions& options);

/// A connection to a Unix socket, non-blocking and close-on-exec. `packets`: SOCK_SEQPACKET.
[[nodiscard]] Result<UniqueFd> connect_unix(const std::string& path, bool packets = false);

/// What a TCP socket is really bound to, e.g. "127.0.0.1:43211".
[[nodiscard]] std::string local_name(int fd);
/// For people: what a listening socket is called, with the port that the kernel chose.
[[nodiscard]] std::string listening_name(const Address& address, int fd);

}  // namespace sluice
