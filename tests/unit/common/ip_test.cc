// Addresses and networks of both families.
#include "common/ip.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace sluice {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
Cidr net(std::string_view text) {
  return Cidr::parse(text).value();
}

TEST(IpAddress, ReadsAndWritesBothFamilies) {
  for (const char* text :
       {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1:2"}) {
    EXPECT_EQ(to_string(ip(text)), text);
  }
  EXPECT_EQ(to_string(ip("2001:DB8:0:0:0:0:0:1")), "2001:db8::1");
}

TEST(IpAddress, IsOneValueForMappedAndPlainV4) {
  EXPECT_TRUE(ip("192.0.2.1").is_v4());
  EXPECT_EQ(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
  EXPECT_FALSE(ip("::1").is_v4());
  EXPECT_FALSE(ip("::") == ip("0.0.0.0"));
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const std::string_view text : {"", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4 ", " 1.2.3.4",
                                      "localhost", "::g", "1.2.3.4:80", "[::1]", "fe80::1%eth0"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(IpAddress, IsNotFooledByAZeroByte) {
  using namespace std::string_view_literals;
  EXPECT_FALSE(IpAddress::parse("192.0.2.1\0.evil"sv));
  EXPECT_FALSE(IpAddress::parse("::1\0"sv));
}

TEST(IpAddress, ComesFromASocketAddress) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(0xC0000201);
  EXPECT_EQ(IpAddress::from_sockaddr(reinterpret_cast<const sockaddr&>(v4)), ip("192.0.2.1"));

  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  ASSERT_EQ(::inet_pton(AF_INET6, "2001:db8::7", &v6.sin6_addr), 1);
  EXPECT_EQ(IpAddress::from_sockaddr(reinterpret_cast<const sockaddr&>(v6)), ip("2001:db8::7"));

  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  EXPECT_EQ(IpAddress::from_sockaddr(reinterpret_cast<const sockaddr&>(local)), IpAddress{});
}

TEST(Cidr, ContainsItsNetworkAndNothingElse) {
  EXPECT_TRUE(net("10.0.0.0/8").contains(ip("10.0.0.0")));
  EXPECT_TRUE(net("10.0.0.0/8").contains(ip("10.255.255.255")));
  EXPECT_FALSE(net("10.0.0.0/8").contains(ip("11.0.0.0")));
  EXPECT_FALSE(net("10.0.0.0/8").contains(ip("9.255.255.255")));
  EXPECT_TRUE(net("192.0.2.128/25").contains(ip("192.0.2.200")));
  EXPECT_FALSE(net("192.0.2.128/25").contains(ip("192.0.2.127")));
  EXPECT_TRUE(net("2001:db8::/33").contains(ip("2001:db8:7fff::1")));
  EXPECT_FALSE(net("2001:db8::/33").contains(ip("2001:db8:8000::1")));
}

TEST(Cidr, WithoutALengthIsOneAddress) {
  EXPECT_TRUE(net("127.0.0.1").contains(ip("127.0.0.1")));
  EXPECT_FALSE(net("127.0.0.1").contains(ip("127.0.0.2")));
  EXPECT_TRUE(net("::1").contains(ip("::1")));
  EXPECT_FALSE(net("::1").contains(ip("::2")));
  EXPECT_TRUE(net("127.0.0.1/32").contains(ip("::ffff:127.0.0.1")));
}

TEST(Cidr, OfLengthZeroIsAWholeFamily) {
  EXPECT_TRUE(net("0.0.0.0/0").contains(ip("203.0.113.9")));
  EXPECT_FALSE(net("0.0.0.0/0").contains(ip("2001:db8::1")));
  EXPECT_TRUE(net("::/0").contains(ip("2001:db8::1")));
  EXPECT_TRUE(net("::/0").contains(ip("203.0.113.9"))) << "IPv4 is mapped into IPv6";
}

TEST(Cidr, RefusesWhatIsNone) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8",
                           "10.0.0.0/8x", "10.0.0.0/8/8", "::/129", "10.0.0/8", "localhost/8"}) {
    const auto parsed = Cidr::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find(text), std::string::npos);
  }
}

TEST(Cidr, RefusesHostBits) {
  EXPECT_NE(Cidr::parse("10.0.0.1/8").error().message.find("host bits"), std::string::npos);
  EXPECT_FALSE(Cidr::parse("2001:db8::1/64"));
  EXPECT_TRUE(Cidr::parse("10.128.0.0/9"));
  EXPECT_FALSE(Cidr::parse("10.64.0.0/9"));
}

TEST(Cidr, AnyOfSeveral) {
  const std::vector<Cidr> networks = {net("10.0.0.0/8"), net("2001:db8::/32")};
  EXPECT_TRUE(contains_any(networks, ip("10.1.2.3")));
  EXPECT_TRUE(contains_any(networks, ip("2001:db8::1")));
  EXPECT_FALSE(contains_any(networks, ip("192.0.2.1")));
  EXPECT_FALSE(contains_any({}, ip("10.1.2.3")));
}

}  // namespace
}  // namespace sluice
