// What proxies tell beside addresses: HAProxy's own headers, each field, each fault, each byte.
#include "gateway/proxy_tlv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "gateway/proxy_protocol.h"
#include "tests/unit/gateway/proxy_samples.h"

namespace sluice::gateway {
namespace {

using namespace std::string_literals;

std::string with(const std::string& tlvs) {
  return v2_header(0x21, 0x11, kV4Body + tlvs);
}

std::string ssl(int client, const std::string& failed, const std::string& fields) {
  return tlv(0x20, std::string(1, static_cast<char>(client)) + failed + fields);
}
const std::string kGood(4, '\0');

ProxyTlvs read(const std::string& header) {
  const ProxyParse parse = parse_proxy_header(header);
  EXPECT_EQ(parse.verdict, ProxyVerdict::kHeader) << parse.problem;
  EXPECT_EQ(parse.bytes, header.size());
  return parse.header.tlvs;
}

ProxyVerdict judge(const std::string& header) {
  const ProxyParse parse = parse_proxy_header(header);
  const bool fault =
      parse.verdict == ProxyVerdict::kMalformed || parse.verdict == ProxyVerdict::kWrongChecksum;
  EXPECT_EQ(fault, *parse.problem != '\0');
  return parse.verdict;
}

ProxyVerdict judge_fields(const std::string& tlvs) {
  return judge(with(tlvs));
}

TEST(ProxyTlv, HaproxyPlain) {
  for (const std::string& header : {kHaproxyPlain, kHaproxyV6}) {
    const ProxyTlvs tlvs = read(header);
    EXPECT_FALSE(tlvs.tls);
    EXPECT_FALSE(tlvs.certificate_verified);
    EXPECT_EQ(tlvs.tls_version, "");
    EXPECT_EQ(tlvs.alpn, "");
  }
  EXPECT_EQ(read(kHaproxyPlain).unique_id, "7F000001E40C0000");
  EXPECT_EQ(read(kHaproxyV6).unique_id, "00000000000000000000000000000001D4C40002");
  EXPECT_EQ(to_string(parse_proxy_header(kHaproxyV6).header.source), "::1");
  EXPECT_EQ(parse_proxy_header(kHaproxyPlain).header.source_port, 58380);
}

TEST(ProxyTlv, HaproxyTls) {
  const ProxyTlvs none = read(kHaproxyTls);
  EXPECT_TRUE(none.tls);
  EXPECT_EQ(none.tls_version, "TLSv1.3");
  EXPECT_EQ(none.cipher, "TLS_AES_256_GCM_SHA384");
  EXPECT_EQ(none.authority, "chat.example.org");
  EXPECT_EQ(none.alpn, "");
  EXPECT_EQ(none.key_algorithm, "EC256");
  EXPECT_EQ(none.signature_algorithm, "ecdsa-with-SHA256");
  EXPECT_FALSE(none.certificate_verified);

  const ProxyTlvs old = read(kHaproxyTls12);
  EXPECT_EQ(old.tls_version, "TLSv1.2");
  EXPECT_EQ(old.cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
  EXPECT_EQ(old.authority, "");
}

TEST(ProxyTlv, HaproxyClientCertificate) {
  const ProxyTlvs alice = read(kHaproxyAlice);
  EXPECT_TRUE(alice.certificate_verified);
  EXPECT_EQ(alice.common_name, "alice");
  EXPECT_EQ(alice.alpn, "http/1.1");
  const ProxyTlvs mallory = read(kHaproxyMallory);
  EXPECT_TRUE(mallory.tls);
  EXPECT_FALSE(mallory.certificate_verified);
  EXPECT_EQ(mallory.common_name, "");
}

TEST(ProxyTlv, HaproxyLocal) {
  for (const std::string& header : {kHaproxyCheck, kHaproxyUnix}) {
    const ProxyParse parse = parse_proxy_header(header);
    EXPECT_EQ(parse.verdict, ProxyVerdict::kHeader);
    EXPECT_TRUE(parse.header.local);
    EXPECT_FALSE(parse.header.has_addresses);
  }
}

TEST(ProxyTlv, ACertificateCountsWithItsBitsOnly) {
  const std::string name = tlv(0x22, "alice");
  const auto common_name = [&](int client, const std::string& failed) {
    return std::string(read(with(ssl(client, failed, name))).common_name);
  };
  EXPECT_EQ(common_name(0x03, kGood), "alice");  // on this connection
  EXPECT_EQ(common_name(0x05, kGood), "alice");  // when its session began
  EXPECT_EQ(common_name(0x07, kGood), "alice");
  for (const int client : {0x00, 0x01, 0x02, 0x04, 0x06, 0xf8, 0xf9}) {
    EXPECT_EQ(common_name(client, kGood), "") << client;
  }
  for (const std::string& failed : {"\0\0\0\1"s, "\1\0\0\0"s, "\0\0\0\x12"s, "\xff\xff\xff\xff"s}) {
    EXPECT_EQ(common_name(0x07, failed), "");
    EXPECT_FALSE(read(with(ssl(0x07, failed, name))).certificate_verified);
  }
  EXPECT_TRUE(read(with(ssl(0x03, kGood, ""))).certificate_verified);
  // Without TLS nothing about TLS counts.
  EXPECT_EQ(read(with(ssl(0x06, kGood, name + tlv(0x21, "TLSv1.3")))).tls_version, "");
}

TEST(ProxyTlv, EveryFieldInAnyOrderAndFamily) {
  const std::string fields = tlv(0x05, "id") + tlv(0x04, "pad") + tlv(0x02, "a.example") +
                             tlv(0x30, "netns") + tlv(0xe0, std::string(300, 'x')) +
                             ssl(0x01, kGood, tlv(0x23, "C") + tlv(0x2f, "?") + tlv(0x21, "V")) +
                             tlv(0x04, "") + tlv(0x04, "") + tlv(0x01, "h2");
  const std::string v6_body(36, '\1');
  const std::string headers[] = {
      with(fields),
      v2_header(0x21, 0x21, v6_body + fields),
      v2_header(0x21, 0x31, std::string(216, '\0') + fields),
      v2_header(0x21, 0x00, fields),
  };
  for (const std::string& header : headers) {
    const ProxyTlvs tlvs = read(header);
    EXPECT_EQ(tlvs.unique_id, "id");
    EXPECT_EQ(tlvs.authority, "a.example");
    EXPECT_EQ(tlvs.alpn, "h2");
    EXPECT_EQ(tlvs.cipher, "C");
    EXPECT_EQ(tlvs.tls_version, "V");
    EXPECT_TRUE(tlvs.tls);
  }
  // There is no client that a LOCAL connection could tell about; with a family it is not even read.
  EXPECT_EQ(read(v2_header(0x20, 0x00, fields)).unique_id, "");
  EXPECT_EQ(read(v2_header(0x20, 0x11, "no fields")).unique_id, "");
}

TEST(ProxyTlv, TruncatedAtEveryByte) {
  for (const std::string& whole : {kHaproxyAlice, kHaproxyPlain, kHaproxyV6}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(parse_proxy_header(whole.substr(0, size)).verdict, ProxyVerdict::kMore) << size;
    }
  }
  // Cut short with a length that says so: whole fields are good, anything else is not.
  const std::string fields = tlv(0x01, "h2") + tlv(0x02, "a.example") + tlv(0x05, "id") +
                             ssl(0x01, kGood, tlv(0x21, "TLSv1.3") + tlv(0x23, "X"));
  const std::size_t whole_at[] = {0, 5, 17, 22, fields.size()};
  for (std::size_t size = 0; size <= fields.size(); ++size) {
    const bool whole =
        std::find(std::begin(whole_at), std::end(whole_at), size) != std::end(whole_at);
    EXPECT_EQ(judge_fields(fields.substr(0, size)),
              whole ? ProxyVerdict::kHeader : ProxyVerdict::kMalformed)
        << size;
  }
  // The same inside the field about TLS.
  const std::string inner = tlv(0x21, "TLSv1.3") + tlv(0x22, "alice");
  for (std::size_t size = 0; size <= inner.size(); ++size) {
    const bool whole = size == 0 || size == 10 || size == inner.size();
    EXPECT_EQ(judge_fields(ssl(0x03, kGood, inner.substr(0, size))),
              whole ? ProxyVerdict::kHeader : ProxyVerdict::kMalformed)
        << size;
  }
  for (std::size_t size = 0; size < 5; ++size) {
    EXPECT_EQ(judge_fields(tlv(0x20, std::string(size, '\0'))), ProxyVerdict::kMalformed) << size;
  }
}

TEST(ProxyTlv, ADamagedByteIsSeen) {
  for (const std::string& whole :
       {kHaproxyAlice, kHaproxyPlain, kHaproxyV6, kHaproxyTls, kHaproxyCheck, kHaproxyUnix}) {
    for (std::size_t at = 12; at < whole.size(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ (1U << bit));
        // As many bytes as it says there are, whatever a damaged length says.
        damaged += std::string(kProxyV2BytesMax, '\0');
        const ProxyParse parse = parse_proxy_header(damaged);
        // No checksum field any more, or a LOCAL that names a family: nothing to compare with.
        const bool unchecked =
            whole.substr(at, 3) == "\x03\0\x04"s || (parse.header.local && damaged[13] != 0);
        EXPECT_TRUE(unchecked || parse.verdict != ProxyVerdict::kHeader) << at << ' ' << bit;
      }
    }
  }
}

TEST(ProxyTlv, TheChecksumCoversTheWholeHeader) {
  std::string forged = kHaproxyPlain;
  forged[16] = 10;  // the client's address
  EXPECT_EQ(judge(forged), ProxyVerdict::kWrongChecksum);
  EXPECT_EQ(judge_fields(tlv(0x03, "\0\0\0\0"s)), ProxyVerdict::kWrongChecksum);
  EXPECT_EQ(judge(v2_header(0x20, 0x00, tlv(0x03, "abcd"))), ProxyVerdict::kWrongChecksum);
  for (const std::size_t size : {0U, 1U, 3U, 5U, 8U}) {
    EXPECT_EQ(judge_fields(tlv(0x03, std::string(size, '\0'))), ProxyVerdict::kMalformed) << size;
  }
}

TEST(ProxyTlv, BoundsAndRepetitions) {
  EXPECT_EQ(judge_fields(tlv(0x05, std::string(kUniqueIdBytesMax, 'u'))), ProxyVerdict::kHeader);
  EXPECT_EQ(judge_fields(tlv(0x05, std::string(kUniqueIdBytesMax + 1, 'u'))),
            ProxyVerdict::kMalformed);
  for (const int type : {0x01, 0x02}) {
    EXPECT_EQ(judge_fields(tlv(type, std::string(kTlvTextBytesMax, 't'))), ProxyVerdict::kHeader);
    EXPECT_EQ(judge_fields(tlv(type, std::string(kTlvTextBytesMax + 1, 't'))),
              ProxyVerdict::kMalformed);
  }
  for (const int type : {0x21, 0x22, 0x23, 0x24, 0x25}) {
    EXPECT_EQ(judge_fields(ssl(1, kGood, tlv(type, std::string(kTlvTextBytesMax, 't')))),
              ProxyVerdict::kHeader);
    EXPECT_EQ(judge_fields(ssl(1, kGood, tlv(type, std::string(kTlvTextBytesMax + 1, 't')))),
              ProxyVerdict::kMalformed);
    EXPECT_EQ(judge_fields(ssl(1, kGood, tlv(type, "a") + tlv(type, "a"))),
              ProxyVerdict::kMalformed);
  }
  for (const int type : {0x01, 0x02, 0x05}) {
    EXPECT_EQ(judge_fields(tlv(type, "") + tlv(type, "a")), ProxyVerdict::kMalformed) << type;
  }
  EXPECT_EQ(judge_fields(ssl(1, kGood, "") + ssl(0, kGood, "")), ProxyVerdict::kMalformed);
  EXPECT_EQ(judge_fields(tlv(0x04, "a") + tlv(0x04, "a") + tlv(0xe0, "") + tlv(0xe0, "")),
            ProxyVerdict::kHeader);
}

}  // namespace
}  // namespace sluice::gateway
