// Golden headers as balancers send them, cut at every place, and what breaks their rules.
#include "gateway/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/gateway/proxy_samples.h"

namespace sluice::gateway {
namespace {

using namespace std::string_literals;

const std::string kV6Body =
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xc8\x22\x01\xbb"s;

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

/// The whole header is found at every split, whatever follows, and nothing is said too early.
ProxyHeader at_every_split(const std::string& header) {
  for (const std::string& behind : {std::string(), std::string("GET / HTTP/1.1\r\n"), header}) {
    const std::string bytes = header + behind;
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      const ProxyParse parse = parse_proxy_header(std::string_view(bytes).substr(0, size));
      if (size < header.size()) {
        EXPECT_EQ(parse.verdict, ProxyVerdict::kMore) << size;
      } else {
        EXPECT_EQ(parse.verdict, ProxyVerdict::kHeader) << size << parse.problem;
        EXPECT_EQ(parse.bytes, header.size());
      }
    }
  }
  return parse_proxy_header(header).header;
}

void expect_v4(const ProxyHeader& header) {
  EXPECT_TRUE(header.has_addresses);
  EXPECT_FALSE(header.local);
  EXPECT_EQ(header.source, ip("192.0.2.7"));
  EXPECT_EQ(header.source_port, 51234);
  EXPECT_EQ(header.destination, ip("198.51.100.1"));
  EXPECT_EQ(header.destination_port, 80);
}

TEST(ProxyProtocol, Version1) {
  expect_v4(at_every_split("PROXY TCP4 192.0.2.7 198.51.100.1 51234 80\r\n"));
  const ProxyHeader v6 = at_every_split("PROXY TCP6 2001:db8::1 2001:db8::2 51234 443\r\n");
  EXPECT_TRUE(v6.has_addresses);
  EXPECT_EQ(v6.source, ip("2001:db8::1"));
  EXPECT_EQ(v6.destination_port, 443);
}

TEST(ProxyProtocol, Version1Unknown) {
  EXPECT_FALSE(at_every_split("PROXY UNKNOWN\r\n").has_addresses);
  EXPECT_FALSE(at_every_split("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n").has_addresses);
  const std::string longest = "PROXY UNKNOWN " + std::string(91, 'x') + "\r\n";
  ASSERT_EQ(longest.size(), kProxyV1BytesMax);
  EXPECT_FALSE(at_every_split(longest).has_addresses);
}

TEST(ProxyProtocol, Version1Malformed) {
  for (const char* line :
       {"PROXY TCP4 192.0.2.7 198.51.100.1 51234\r\n", "PROXY TCP4\r\n", "PROXY \r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 51234 80 1\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 51234 80 \r\n",
        "PROXY TCP4  192.0.2.7 198.51.100.1 51234 80\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 80\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 -1 80\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 01 80\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 1 80\r\n", "PROXY TCP4 ::1 ::2 1 80\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 1 80\r\n", "PROXY UDP4 192.0.2.7 198.51.100.1 1 80\r\n",
        "PROXY UNKNOWNX\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 51234 80\n", "PROXY \n"}) {
    EXPECT_EQ(parse_proxy_header(line).verdict, ProxyVerdict::kMalformed) << line;
  }
  const std::string endless = "PROXY UNKNOWN " + std::string(200, 'x');
  EXPECT_EQ(parse_proxy_header(endless.substr(0, 106)).verdict, ProxyVerdict::kMore);
  EXPECT_EQ(parse_proxy_header(endless.substr(0, 107)).verdict, ProxyVerdict::kMalformed);
  EXPECT_EQ(parse_proxy_header(endless + "\r\n").verdict, ProxyVerdict::kMalformed);
}

TEST(ProxyProtocol, Version2) {
  const std::string header = v2_header(0x21, 0x11, kV4Body);
  ASSERT_EQ(header.size(), 28U);
  expect_v4(at_every_split(header));
  const ProxyHeader v6 = at_every_split(v2_header(0x21, 0x21, kV6Body));
  EXPECT_EQ(v6.source, ip("2001:db8::1"));
  EXPECT_EQ(v6.destination, ip("2001:db8::2"));
  EXPECT_EQ(v6.source_port, 51234);
  EXPECT_EQ(v6.destination_port, 443);
}

TEST(ProxyProtocol, Version2WithAdditionalFields) {
  expect_v4(
      at_every_split(v2_header(0x21, 0x11, kV4Body + "\x01\x00\x02h2"s + "\x20\0\x05\0\0\0\0\0"s)));
  const std::string padding = tlv(0x04, std::string(kProxyV2BytesMax - 28 - 3, 'x'));
  expect_v4(parse_proxy_header(v2_header(0x21, 0x11, kV4Body + padding)).header);
}

TEST(ProxyProtocol, Version2WithoutAddresses) {
  const ProxyHeader local = at_every_split(v2_header(0x20, 0x00, ""));
  EXPECT_TRUE(local.local);
  EXPECT_FALSE(local.has_addresses);
  EXPECT_TRUE(at_every_split(v2_header(0x20, 0x11, kV4Body)).local);
  EXPECT_FALSE(at_every_split(v2_header(0x20, 0x11, kV4Body)).has_addresses);
  EXPECT_TRUE(at_every_split(kHaproxyCheck).local);
  EXPECT_TRUE(at_every_split(kHaproxyUnix).local);
  EXPECT_FALSE(at_every_split(v2_header(0x21, 0x00, "")).has_addresses);
  EXPECT_FALSE(at_every_split(v2_header(0x21, 0x31, std::string(216, 'x'))).has_addresses);
}

TEST(ProxyProtocol, Version2Malformed) {
  const std::string cases[] = {
      v2_header(0x11, 0x11, kV4Body),                                  // version
      v2_header(0x22, 0x11, kV4Body),                                  // command
      v2_header(0x21, 0x41, kV4Body),                                  // family
      v2_header(0x21, 0x13, kV4Body),                                  // transport
      v2_header(0x21, 0x12, kV4Body),                                  // datagram
      v2_header(0x21, 0x11, kV4Body.substr(1)),                        // too short
      v2_header(0x21, 0x21, kV6Body.substr(1)),                        //
      v2_header(0x21, 0x31, std::string(215, 'x')),                    //
      v2_header(0x21, 0x11, std::string(kProxyV2BytesMax - 15, 'x')),  // over the bound
  };
  for (const std::string& bytes : cases) {
    EXPECT_EQ(parse_proxy_header(bytes).verdict, ProxyVerdict::kMalformed);
    // The header itself gives it away: nobody waits for a body that would be refused.
    EXPECT_EQ(parse_proxy_header(bytes.substr(0, 16)).verdict, ProxyVerdict::kMalformed);
    EXPECT_STRNE(parse_proxy_header(bytes).problem, "");
  }
}

TEST(ProxyProtocol, OtherProtocolsAreSeenAtOnce) {
  for (const char* bytes :
       {"G", "GET / HTTP/1.1\r\n", "PR0", "PROXX", "PROXY\r", "\r\nG", "\x16"}) {
    EXPECT_EQ(parse_proxy_header(bytes).verdict, ProxyVerdict::kAbsent) << bytes;
  }
  EXPECT_EQ(parse_proxy_header("P").verdict, ProxyVerdict::kMore);
  EXPECT_EQ(parse_proxy_header("\r\n\r").verdict, ProxyVerdict::kMore);
  EXPECT_EQ(parse_proxy_header("").verdict, ProxyVerdict::kMore);
}

}  // namespace
}  // namespace sluice::gateway
