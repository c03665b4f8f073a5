// How many connections there are, in all and per address. Pure. A connection enters when it is
// accepted, is bound to an address as soon as that is known (a PROXY header may have to be read
// first), and leaves once. How fast an address may come is bounded too; what is remembered for that
// goes as soon as it would make no difference.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "common/ip.h"
#include "common/token_bucket.h"

namespace sluice::gateway {

struct ConnectionLimitOptions {
  std::size_t connections_max = 10'000;    ///< handshakes under way included
  std::size_t connections_per_ip_max = 0;  ///< 0: no bound
  TokenRate rate_per_ip{};                 ///< new connections
};

/// Addresses without a connection that are remembered for their rate; over it the oldest are
/// forgotten.
inline constexpr std::size_t kIdleAddressesMax = 65536;

enum class Admission { kOk, kProcessFull, kAddressFull, kAddressTooFast };

class ConnectionLimits {
 public:
  explicit ConnectionLimits(ConnectionLimitOptions options) : options_(options) {}

  /// kOk or kProcessFull.
  [[nodiscard]] Admission enter();
  /// kOk, kAddressFull or kAddressTooFast, which leave the connection unbound. IPv6 clients own a
  /// /64, so that is what counts as one address.
  [[nodiscard]] Admission bind(const IpAddress& ip, TimePoint now);
  /// Of a connection that another process let in: counted, whatever the bounds are now.
  void enter_again() { ++connections_; }
  void bind_again(const IpAddress& ip);
  void unbind(const IpAddress& ip, TimePoint now);
  void leave();

  [[nodiscard]] std::size_t connections() const { return connections_; }
  /// Addresses remembered: at most one for each connection, and kIdleAddressesMax.
  [[nodiscard]] std::size_t addresses() const { return per_address_.size(); }
  [[nodiscard]] std::size_t connections_of(const IpAddress& ip) const;

 private:
  struct Hash {
    [[nodiscard]] std::size_t operator()(const IpAddress& ip) const;
  };

  struct Entry {
    std::uint32_t connections = 0;
    bool idle_listed = false;
    TokenBucket bucket;
  };

  [[nodiscard]] bool counts_addresses() const {
    return options_.connections_per_ip_max > 0 || options_.rate_per_ip.limited();
  }
  void list_if_idle(const IpAddress& ip, Entry& entry);
  void forget_idle(TimePoint now);

  ConnectionLimitOptions options_;
  std::size_t connections_ = 0;
  std::unordered_map<IpAddress, Entry, Hash> per_address_;
  std::deque<IpAddress> idle_;  ///< in the order in which their last connection went
};

}  // namespace sluice::gateway
