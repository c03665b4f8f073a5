// How many connections there are, in all and per address. Pure. A connection enters when it is
// accepted, is bound to an address as soon as that is known (a PROXY header may have to be read
// first), and leaves once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "common/ip.h"

namespace sluice::gateway {

struct ConnectionLimitOptions {
  std::size_t connections_max = 10'000;    ///< handshakes under way included
  std::size_t connections_per_ip_max = 0;  ///< 0: no bound
};

enum class Admission { kOk, kProcessFull, kAddressFull };

class ConnectionLimits {
 public:
  explicit ConnectionLimits(ConnectionLimitOptions options) : options_(options) {}

  /// kOk or kProcessFull.
  [[nodiscard]] Admission enter();
  /// kOk or kAddressFull, which leaves the connection unbound. IPv6 clients own a /64, so that is
  /// what counts as one address.
  [[nodiscard]] Admission bind(const IpAddress& ip);
  void unbind(const IpAddress& ip);
  void leave();

  [[nodiscard]] std::size_t connections() const { return connections_; }
  /// At most one for each connection: an address goes with its last one.
  [[nodiscard]] std::size_t addresses() const { return per_address_.size(); }
  [[nodiscard]] std::size_t connections_of(const IpAddress& ip) const;

 private:
  struct Hash {
    [[nodiscard]] std::size_t operator()(const IpAddress& ip) const;
  };

  ConnectionLimitOptions options_;
  std::size_t connections_ = 0;
  std::unordered_map<IpAddress, std::uint32_t, Hash> per_address_;
};

}  // namespace sluice::gateway
