#include "gateway/connection_limits.h"

#include <cstring>

#include "common/check.h"

namespace sluice::gateway {
namespace {

/// What is counted as one address: all of an IPv4 address, the first 64 bits of an IPv6 one.
[[nodiscard]] IpAddress counted(IpAddress ip) {
  if (!ip.is_v4()) std::fill(ip.bytes.begin() + 8, ip.bytes.end(), std::uint8_t{0});
  return ip;
}

}  // namespace

Admission ConnectionLimits::enter() {
  if (connections_ >= options_.connections_max) return Admission::kProcessFull;
  ++connections_;
  return Admission::kOk;
}

Admission ConnectionLimits::bind(const IpAddress& ip, TimePoint now) {
  if (!counts_addresses()) return Admission::kOk;
  forget_idle(now);
  Entry& entry = per_address_[counted(ip)];
  const Admission verdict =
      options_.connections_per_ip_max > 0 && entry.connections >= options_.connections_per_ip_max
          ? Admission::kAddressFull
      : !entry.bucket.take(options_.rate_per_ip, now) ? Admission::kAddressTooFast
                                                      : Admission::kOk;
  if (verdict == Admission::kOk) ++entry.connections;
  list_if_idle(counted(ip), entry);
  return verdict;
}

void ConnectionLimits::bind_again(const IpAddress& ip) {
  if (counts_addresses()) ++per_address_[counted(ip)].connections;
}

void ConnectionLimits::unbind(const IpAddress& ip, TimePoint now) {
  if (!counts_addresses()) return;
  const auto entry = per_address_.find(counted(ip));
  CHECK(entry != per_address_.end() && entry->second.connections > 0);
  --entry->second.connections;
  list_if_idle(counted(ip), entry->second);
  forget_idle(now);
}

void ConnectionLimits::list_if_idle(const IpAddress& ip, Entry& entry) {
  if (entry.connections > 0 || entry.idle_listed) return;
  entry.idle_listed = true;
  idle_.push_back(ip);
}

void ConnectionLimits::forget_idle(TimePoint now) {
  while (!idle_.empty()) {
    const auto entry = per_address_.find(idle_.front());
    CHECK(entry != per_address_.end());
    if (entry->second.connections > 0) {
      entry->second.idle_listed = false;
    } else if (idle_.size() > kIdleAddressesMax ||
               entry->second.bucket.full(options_.rate_per_ip, now)) {
      per_address_.erase(entry);
    } else {
      return;  // those behind it went later
    }
    idle_.pop_front();
  }
}

void ConnectionLimits::leave() {
  CHECK(connections_ > 0);
  --connections_;
}

std::size_t ConnectionLimits::connections_of(const IpAddress& ip) const {
  const auto entry = per_address_.find(counted(ip));
  return entry == per_address_.end() ? 0 : entry->second.connections;
}

/// Clients choose their addresses, but a table that a few thousand of them crowd into one bucket of
/// is bounded by the process limit; a good mix of both halves is enough.
std::size_t ConnectionLimits::Hash::operator()(const IpAddress& ip) const {
  std::uint64_t halves[2];
  static_assert(sizeof halves == sizeof ip.bytes);
  std::memcpy(halves, ip.bytes.data(), sizeof halves);
  std::uint64_t x = halves[0] ^ (halves[1] * 0x9E3779B97F4A7C15U);
  x ^= x >> 32U;
  x *= 0xD6E8FEB86659FD93U;
  x ^= x >> 32U;
  return static_cast<std::size_t>(x);
}

}  // namespace sluice::gateway
