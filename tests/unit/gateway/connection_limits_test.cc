#include "gateway/connection_limits.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

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
  EXPECT_EQ(limits.bind(a), Admission::kOk);
  EXPECT_EQ(limits.bind(a), Admission::kOk);
  EXPECT_EQ(limits.bind(a), Admission::kAddressFull);
  EXPECT_EQ(limits.bind(ip("192.0.2.2")), Admission::kOk);
  EXPECT_EQ(limits.connections_of(a), 2U);
  limits.unbind(a);
  EXPECT_EQ(limits.bind(a), Admission::kOk);
}

TEST(ConnectionLimits, AddressesVanishWithTheirLastConnection) {
  ConnectionLimits limits({.connections_max = 1000, .connections_per_ip_max = 3});
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(limits.bind(ip("10.0.0." + std::to_string(i))), Admission::kOk);
    EXPECT_EQ(limits.bind(ip("10.0.0." + std::to_string(i))), Admission::kOk);
  }
  EXPECT_EQ(limits.addresses(), 200U);
  for (int i = 0; i < 200; ++i) {
    limits.unbind(ip("10.0.0." + std::to_string(i)));
    limits.unbind(ip("10.0.0." + std::to_string(i)));
  }
  EXPECT_EQ(limits.addresses(), 0U);
}

TEST(ConnectionLimits, AnIPv6ClientIsItsNetwork) {
  ConnectionLimits limits({.connections_max = 10, .connections_per_ip_max = 1});
  EXPECT_EQ(limits.bind(ip("2001:db8:0:1::1")), Admission::kOk);
  EXPECT_EQ(limits.bind(ip("2001:db8:0:1:ffff::2")), Admission::kAddressFull);
  EXPECT_EQ(limits.bind(ip("2001:db8:0:2::1")), Admission::kOk);
  limits.unbind(ip("2001:db8:0:1:abcd::"));
  EXPECT_EQ(limits.addresses(), 1U);
}

TEST(ConnectionLimits, WithoutAnAddressBoundNothingIsKept) {
  ConnectionLimits limits({.connections_max = 10, .connections_per_ip_max = 0});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limits.bind(ip("192.0.2.1")), Admission::kOk);
  EXPECT_EQ(limits.addresses(), 0U);
  limits.unbind(ip("192.0.2.1"));
}

TEST(ConnectionLimitsDeathTest, LeavingTwiceIsABug) {
  ConnectionLimits limits({.connections_max = 1, .connections_per_ip_max = 1});
  EXPECT_DEATH(limits.leave(), "connections_");
  EXPECT_DEATH(limits.unbind(ip("192.0.2.1")), "per_address_");
}

}  // namespace
}  // namespace sluice::gateway
