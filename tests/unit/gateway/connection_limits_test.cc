#include "gateway/connection_limits.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

constexpr TimePoint kNow{std::chrono::hours(1)};

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

TEST(ConnectionLimits, ProcessBound) {
  ConnectionLimits limits({.connections_max = 2, .connections_per_ip_max = 0});
  EXPECT_EQ(limits.enter(), Admission::kOk);
  EXPECT_EQ(limits.enter(), Admission::kOk);
  EXPECT_EQ(limits.enter(), Admission::kProcessFull);
  EXPECT_EQ(limits.connections(), 2U);
  limits.leave();
  EXPECT_EQ(limits.enter(), Admission::kOk);
}

TEST(ConnectionLimits, AddressBound) {
  ConnectionLimits limits({.connections_max = 10, .connections_per_ip_max = 2});
  const IpAddress a = ip("192.0.2.1");
  EXPECT_EQ(limits.bind(a, kNow), Admission::kOk);
  EXPECT_EQ(limits.bind(a, kNow), Admission::kOk);
  EXPECT_EQ(limits.bind(a, kNow), Admission::kAddressFull);
  EXPECT_EQ(limits.bind(ip("192.0.2.2"), kNow), Admission::kOk);
  EXPECT_EQ(limits.connections_of(a), 2U);
  limits.unbind(a, kNow);
  EXPECT_EQ(limits.bind(a, kNow), Admission::kOk);
}

TEST(ConnectionLimits, AddressesVanishWithTheirLastConnection) {
  ConnectionLimits limits({.connections_max = 1000, .connections_per_ip_max = 3});
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(limits.bind(ip("10.0.0." + std::to_string(i)), kNow), Admission::kOk);
    EXPECT_EQ(limits.bind(ip("10.0.0." + std::to_string(i)), kNow), Admission::kOk);
  }
  EXPECT_EQ(limits.addresses(), 200U);
  for (int i = 0; i < 200; ++i) {
    limits.unbind(ip("10.0.0." + std::to_string(i)), kNow);
    limits.unbind(ip("10.0.0." + std::to_string(i)), kNow);
  }
  EXPECT_EQ(limits.addresses(), 0U);
}

TEST(ConnectionLimits, AnIPv6ClientIsItsNetwork) {
  ConnectionLimits limits({.connections_max = 10, .connections_per_ip_max = 1});
  EXPECT_EQ(limits.bind(ip("2001:db8:0:1::1"), kNow), Admission::kOk);
  EXPECT_EQ(limits.bind(ip("2001:db8:0:1:ffff::2"), kNow), Admission::kAddressFull);
  EXPECT_EQ(limits.bind(ip("2001:db8:0:2::1"), kNow), Admission::kOk);
  limits.unbind(ip("2001:db8:0:1:abcd::"), kNow);
  EXPECT_EQ(limits.addresses(), 1U);
}

TEST(ConnectionLimits, WithoutAnAddressBoundNothingIsKept) {
  ConnectionLimits limits({.connections_max = 10, .connections_per_ip_max = 0});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limits.bind(ip("192.0.2.1"), kNow), Admission::kOk);
  EXPECT_EQ(limits.addresses(), 0U);
  limits.unbind(ip("192.0.2.1"), kNow);
}

TEST(ConnectionLimits, AnAddressMayComeSoFastAndNoFaster) {
  ConnectionLimits limits({.connections_max = 100, .rate_per_ip = {2, 3}});
  const IpAddress a = ip("192.0.2.1");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limits.bind(a, kNow), Admission::kOk);
  EXPECT_EQ(limits.bind(a, kNow), Admission::kAddressTooFast);
  EXPECT_EQ(limits.bind(ip("192.0.2.2"), kNow), Admission::kOk);
  EXPECT_EQ(limits.connections_of(a), 3U);
  EXPECT_EQ(limits.bind(a, kNow + std::chrono::milliseconds(499)), Admission::kAddressTooFast);
  EXPECT_EQ(limits.bind(a, kNow + std::chrono::milliseconds(501)), Admission::kOk);
}

TEST(ConnectionLimits, AnAddressThatLeftIsRememberedAsLongAsItMatters) {
  ConnectionLimits limits({.connections_max = 100, .rate_per_ip = {2, 3}});
  const IpAddress a = ip("192.0.2.1");
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(limits.bind(a, kNow), Admission::kOk);
    limits.unbind(a, kNow);
  }
  EXPECT_EQ(limits.addresses(), 1U);
  EXPECT_EQ(limits.bind(a, kNow), Admission::kAddressTooFast);
  EXPECT_EQ(limits.bind(ip("192.0.2.2"), kNow + std::chrono::seconds(2)), Admission::kOk);
  EXPECT_EQ(limits.addresses(), 1U);  // the first is forgotten
  limits.unbind(ip("192.0.2.2"), kNow + std::chrono::seconds(2));
  EXPECT_EQ(limits.bind(a, kNow + std::chrono::seconds(4)), Admission::kOk);
  EXPECT_EQ(limits.addresses(), 1U);
}

TEST(ConnectionLimits, IdleAddressesAreBounded) {
  ConnectionLimits limits({.connections_max = 100, .rate_per_ip = {1, 1}});
  IpAddress a = ip("10.0.0.0");
  for (std::size_t i = 0; i < kIdleAddressesMax + 500; ++i) {
    a.bytes[13] = static_cast<std::uint8_t>(i >> 16U);
    a.bytes[14] = static_cast<std::uint8_t>(i >> 8U);
    a.bytes[15] = static_cast<std::uint8_t>(i);
    ASSERT_EQ(limits.bind(a, kNow), Admission::kOk);
    limits.unbind(a, kNow);
  }
  EXPECT_LE(limits.addresses(), kIdleAddressesMax + 1);
}

TEST(ConnectionLimitsDeathTest, LeavingTwiceIsABug) {
  ConnectionLimits limits({.connections_max = 1, .connections_per_ip_max = 1});
  EXPECT_DEATH(limits.leave(), "connections_");
  EXPECT_DEATH(limits.unbind(ip("192.0.2.1"), kNow), "per_address_");
}

}  // namespace
}  // namespace sluice::gateway
