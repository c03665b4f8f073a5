#include "gateway/proxy_tlv.h"

#include <isa-l/crc.h>

#include <cstdint>
#include <optional>

namespace sluice::gateway {
namespace {

constexpr std::size_t kTlvHeaderBytes = 3;
constexpr std::size_t kChecksumBytes = 4;
/// Client bits and result of the verification.
constexpr std::size_t kSslFixedBytes = 5;

constexpr unsigned kClientTls = 0x01;
constexpr unsigned kClientCertificate = 0x02 | 0x04;  ///< on this connection, or in its session

enum Type : std::uint8_t {
  kAlpn = 0x01,
  kAuthority = 0x02,
  kChecksum = 0x03,
  kUniqueId = 0x05,
  kSsl = 0x20,
  kSslVersion = 0x21,
  kSslCommonName = 0x22,
  kSslCipher = 0x23,
  kSslSignature = 0x24,
  kSslKey = 0x25,
};

constexpr const char* kTwice = "a field of the PROXY header stands twice";
constexpr const char* kTooLong = "a field of the PROXY header is too long";

struct Tlv {
  std::uint8_t type = 0;
  std::string_view value;
};

[[nodiscard]] std::uint32_t read_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

/// Nothing: it does not fit into what is left.
[[nodiscard]] std::optional<Tlv> take_tlv(std::string_view& rest) {
  if (rest.size() < kTlvHeaderBytes) return std::nullopt;
  const auto byte = [&](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(rest[at]));
  };
  const std::size_t length = byte(1) << 8U | byte(2);
  if (length > rest.size() - kTlvHeaderBytes) return std::nullopt;
  const Tlv tlv{static_cast<std::uint8_t>(byte(0)), rest.substr(kTlvHeaderBytes, length)};
  rest.remove_prefix(kTlvHeaderBytes + length);
  return tlv;
}

/// A place for one field's value, given once.
class Text {
 public:
  explicit Text(std::size_t bytes_max = kTlvTextBytesMax) : bytes_max_(bytes_max) {}
  /// The fault, or null.
  [[nodiscard]] const char* set(std::string_view value) {
    if (value_) return kTwice;
    if (value.size() > bytes_max_) return kTooLong;
    value_ = value;
    return nullptr;
  }
  [[nodiscard]] std::string_view value() const { return value_.value_or(std::string_view()); }
  [[nodiscard]] bool given() const { return value_.has_value(); }

 private:
  std::size_t bytes_max_;
  std::optional<std::string_view> value_;
};

/// CRC-32C of the header with zeros where its checksum stands (RFC 4960 appendix B has the sum).
[[nodiscard]] std::uint32_t checksum_of(std::string_view header, std::string_view field) {
  const auto add = [](std::uint32_t sum, std::string_view bytes) {
    // The library's signature has no const; it only reads.
    auto* begin = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
    return crc32_iscsi(begin, static_cast<int>(bytes.size()), sum);
  };
  const auto before = static_cast<std::size_t>(field.data() - header.data());
  constexpr char kZeros[kChecksumBytes] = {};
  std::uint32_t sum = add(0xFFFFFFFFU, header.substr(0, before));
  sum = add(sum, {kZeros, sizeof kZeros});
  return ~add(sum, header.substr(before + kChecksumBytes));
}

/// The fields inside the one about TLS. The fault, or null.
[[nodiscard]] const char* read_ssl(std::string_view value, ProxyTlvs& out) {
  if (value.size() < kSslFixedBytes) return "the PROXY header's field about TLS is too short";
  const auto client = static_cast<unsigned char>(value[0]);
  const std::uint32_t failed = read_u32(value.substr(1));
  Text version;
  Text name;
  Text cipher;
  Text signature;
  Text key;
  for (std::string_view rest = value.substr(kSslFixedBytes); !rest.empty();) {
    const std::optional<Tlv> tlv = take_tlv(rest);
    if (!tlv) return "a field of the PROXY header does not fit into that about TLS";
    Text* const text = tlv->type == kSslVersion      ? &version
                       : tlv->type == kSslCommonName ? &name
                       : tlv->type == kSslCipher     ? &cipher
                       : tlv->type == kSslSignature  ? &signature
                       : tlv->type == kSslKey        ? &key
                                                     : nullptr;
    if (text == nullptr) continue;
    if (const char* problem = text->set(tlv->value)) return problem;
  }
  if ((client & kClientTls) == 0) return nullptr;
  out.tls = true;
  out.tls_version = version.value();
  out.cipher = cipher.value();
  out.signature_algorithm = signature.value();
  out.key_algorithm = key.value();
  // "Nothing failed" is also what is said when there was no certificate: the bits tell it.
  out.certificate_verified = (client & kClientCertificate) != 0 && failed == 0;
  if (out.certificate_verified) out.common_name = name.value();
  return nullptr;
}

[[nodiscard]] TlvParse fault(TlvVerdict verdict, const char* problem) {
  TlvParse parse;
  parse.verdict = verdict;
  parse.problem = problem;
  return parse;
}

}  // namespace

TlvParse parse_proxy_tlvs(std::string_view header, std::size_t at) {
  TlvParse parse;
  Text alpn;
  Text authority;
  Text unique_id(kUniqueIdBytesMax);
  Text checksum;
  Text ssl(header.size());
  for (std::string_view rest = header.substr(at); !rest.empty();) {
    const std::optional<Tlv> tlv = take_tlv(rest);
    if (!tlv) return fault(TlvVerdict::kMalformed, "a field does not fit into its PROXY header");
    Text* const text = tlv->type == kAlpn        ? &alpn
                       : tlv->type == kAuthority ? &authority
                       : tlv->type == kUniqueId  ? &unique_id
                       : tlv->type == kChecksum  ? &checksum
                       : tlv->type == kSsl       ? &ssl
                                                 : nullptr;
    if (text == nullptr) continue;
    if (const char* problem = text->set(tlv->value)) return fault(TlvVerdict::kMalformed, problem);
  }
  if (checksum.given()) {
    if (checksum.value().size() != kChecksumBytes)
      return fault(TlvVerdict::kMalformed, "the CRC-32C of the PROXY header has not four bytes");
    if (checksum_of(header, checksum.value()) != read_u32(checksum.value()))
      return fault(TlvVerdict::kWrongChecksum, "the CRC-32C of the PROXY header is wrong");
  }
  parse.tlvs.alpn = alpn.value();
  parse.tlvs.authority = authority.value();
  parse.tlvs.unique_id = unique_id.value();
  if (ssl.given()) {
    if (const char* problem = read_ssl(ssl.value(), parse.tlvs))
      return fault(TlvVerdict::kMalformed, problem);
  }
  return parse;
}

}  // namespace sluice::gateway
