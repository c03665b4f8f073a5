// PROXY headers of version 2: put together by hand, and as HAProxy 2.6.12 sent them with
// `proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id`.
#pragma once

#include <string>
#include <string_view>

namespace sluice::gateway {

[[nodiscard]] inline std::string from_hex(std::string_view digits) {
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

[[nodiscard]] inline std::string v2_header(int version_command, int family,
                                           const std::string& body) {
  std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
  out.push_back(static_cast<char>(version_command));
  out.push_back(static_cast<char>(family));
  out.push_back(static_cast<char>(body.size() >> 8U));
  out.push_back(static_cast<char>(body.size() & 0xffU));
  return out + body;
}

[[nodiscard]] inline std::string tlv(int type, const std::string& value) {
  std::string out(1, static_cast<char>(type));
  out.push_back(static_cast<char>(value.size() >> 8U));
  out.push_back(static_cast<char>(value.size() & 0xffU));
  return out + value;
}

/// 192.0.2.7:51234 to 198.51.100.1:80.
inline const std::string kV4Body("\xc0\x00\x02\x07\xc6\x33\x64\x01\xc8\x22\x00\x50", 12);

/// A health check.
inline const std::string kHaproxyCheck =
    from_hex("0d0a0d0a000d0a515549540a2000000f030004889da1df2000050000000000");
/// For a client of its Unix socket: LOCAL, and an empty unique id.
inline const std::string kHaproxyUnix = from_hex(
    "0d0a0d0a000d0a515549540a20000012030004955e6a0005000020000500000000"
    "00");
/// Plain TCP, from 127.0.0.1:58380.
inline const std::string kHaproxyPlain = from_hex(
    "0d0a0d0a000d0a515549540a2111002e7f0000017f000001e40ca1b303000407"
    "19ddb905001037463030303030314534304330303030200005000000000"
    "0");
/// The same over IPv6.
inline const std::string kHaproxyV6 = from_hex(
    "0d0a0d0a000d0a515549540a2121005e00000000000000000000000000000001"
    "00000000000000000000000000000001d4c4b9cd030004c9b962c20500283030"
    "3030303030303030303030303030303030303030303030303030303030314434"
    "43343030303220000500000000"
    "00");
/// TLS 1.3 without a client certificate: the verification says 0 all the same.
inline const std::string kHaproxyTls = from_hex(
    "0d0a0d0a000d0a515549540a211100807f0000017f000001bac8906103000"
    "40fbe2302020010636861742e6578616d706c652e6f726705001037463030303030314241433830303033200044010"
    "0"
    "000000210007544c5376312e33250005454332353624001165636473612d776974682d534841323536230016544c53"
    "5f4145535f3235365f47434d5f534841333834");
/// TLS 1.3 with ALPN and the certificate of "alice", verified.
inline const std::string kHaproxyAlice = from_hex(
    "0d0a0d0a000d0a515549540a211100937f0000017f000001ce30906103000"
    "43d9bac72010008687474702f312e31020010636861742e6578616d706c652e6f72670500103746303030303031434"
    "5"
    "3330303030"
    "3420004c0700000000210007544c5376312e33220005616c6963652500054543323536240011"
    "65636473612d776974682d534841323536230016544c535f4145535f3235365f47434d5f534841333834");
/// The certificate of "mallory", of an unknown authority: 21 is the verification's error.
inline const std::string kHaproxyMallory = from_hex(
    "0d0a0d0a000d0a515549540a2111008a7f0000017f000001ce3c906103000"
    "4f3ace65c020010636861742e6578616d706c652e6f7267050010374630303030303143453343303030352000"
    "4e0700000015210007544c5376312e332200076d616c6c6f727925000545433235362400116563647361"
    "2d776974682d534841323536230016544c535f4145535f3235365f47434d5f534841333834");
/// TLS 1.2 without SNI.
inline const std::string kHaproxyTls12 = from_hex(
    "0d0a0d0a000d0a515549540a211100747f0000017f000001ce42906103000"
    "44ceb38890500103746303030303031434534323030303620004b0100000000210007544c5376312e3225000545433"
    "2"
    "353624001165636473612d776974682d53484132353623001d45434448452d45434453412d4145533235362d47434d"
    "2d534841333834");

}  // namespace sluice::gateway
