#include "gateway/client_identity.h"

#include <gtest/gtest.h>

#include "gateway/proxy_protocol.h"
#include "tests/unit/gateway/proxy_samples.h"

namespace sluice::gateway {
namespace {

std::string fields_of(const std::string& header) {
  return to_log_fields(facts_from(parse_proxy_header(header).header.tlvs).get());
}

TEST(ClientIdentity, NothingToldCostsNothing) {
  EXPECT_EQ(facts_from(ProxyTlvs{}), nullptr);
  // HAProxy's field about TLS for a client without TLS.
  const std::string plain =
      v2_header(0x21, 0x11, kV4Body + tlv(0x20, std::string(5, '\0')) + tlv(0x04, "padding"));
  EXPECT_EQ(facts_from(parse_proxy_header(plain).header.tlvs), nullptr);
  EXPECT_EQ(facts_from(parse_proxy_header(kHaproxyCheck).header.tlvs), nullptr);
  EXPECT_EQ(to_log_fields(nullptr), "");
  EXPECT_LE(sizeof(ClientIdentity), 32U);
}

TEST(ClientIdentity, OnlyWhatIsThere) {
  EXPECT_EQ(fields_of(kHaproxyPlain), " unique_id=7F000001E40C0000");
  EXPECT_EQ(fields_of(kHaproxyTls12),
            " tls=TLSv1.2 cipher=ECDHE-ECDSA-AES256-GCM-SHA384 unique_id=7F000001CE420006");
  EXPECT_EQ(fields_of(kHaproxyAlice),
            " tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 sni=chat.example.org alpn=http/1.1 "
            "unique_id=7F000001CE300004 cert_cn=alice");
  EXPECT_EQ(fields_of(kHaproxyMallory),
            " tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 sni=chat.example.org "
            "unique_id=7F000001CE3C0005");
}

TEST(ClientIdentity, FactsOutliveTheHeader) {
  auto header = std::make_unique<std::string>(kHaproxyAlice);
  const auto facts = facts_from(parse_proxy_header(*header).header.tlvs);
  header.reset();
  EXPECT_TRUE(facts->certificate_verified);
  EXPECT_EQ(facts->certificate_name, "alice");
  EXPECT_EQ(facts->server_name, "chat.example.org");
}

TEST(ClientIdentity, APeersTextStaysInsideItsField) {
  ProxyTlvs tlvs;
  tlvs.authority = "a b\nclient connected id=0 \"\x1b[31m";
  EXPECT_EQ(to_log_fields(facts_from(tlvs).get()),
            " sni=\"a b\\x0aclient connected id=0 \\\"\\x1b[31m\"");
}

TEST(ClientAddress, APortThatIsNotKnownIsNotSaid) {
  EXPECT_EQ(to_string(ClientAddress{IpAddress::parse("192.0.2.7").value(), 0, false}), "192.0.2.7");
  EXPECT_EQ(to_string(ClientAddress{IpAddress::parse("2001:db8::1").value(), 0, false}),
            "[2001:db8::1]");
  EXPECT_EQ(to_string(ClientAddress{IpAddress::parse("2001:db8::1").value(), 443, false}),
            "[2001:db8::1]:443");
}

}  // namespace
}  // namespace sluice::gateway
