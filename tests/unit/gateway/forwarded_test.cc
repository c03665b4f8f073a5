#include "gateway/forwarded.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::gateway {
namespace {

using Verdict = ForwardedVerdict;

class Forwarded : public testing::Test {
 protected:
  /// `lines`: header lines as sent, each with its CRLF.
  ForwardedClient read(ForwardedHeader which, const std::string& lines) {
    bytes_ = "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
    const char* problem = "";
    EXPECT_EQ(parse_head(bytes_, head_, problem), HeadStatus::kOk) << problem;
    return forwarded_client(head_, which, trusted_);
  }
  ForwardedClient x_forwarded_for(const std::string& value) {
    return read(ForwardedHeader::kXForwardedFor, "X-Forwarded-For: " + value + "\r\n");
  }
  ForwardedClient forwarded(const std::string& value) {
    return read(ForwardedHeader::kForwarded, "Forwarded: " + value + "\r\n");
  }
  /// The client's address, or the verdict in words.
  static std::string told(const ForwardedClient& client) {
    EXPECT_EQ(client.verdict == Verdict::kMalformed, *client.problem != '\0');
    switch (client.verdict) {
      case Verdict::kAbsent:
        return "absent";
      case Verdict::kClient:
        return to_string(client.address);
      case Verdict::kUnknown:
        return "unknown";
      case Verdict::kMalformed:
        return "malformed";
    }
    return "";
  }
  std::string xff(const std::string& value) { return told(x_forwarded_for(value)); }
  std::string fwd(const std::string& value) { return told(forwarded(value)); }

  std::vector<Cidr> trusted_ = {Cidr::parse("10.0.0.0/8").value(),
                                Cidr::parse("2001:db8:ffff::/48").value()};
  std::string bytes_;
  HttpHead head_;
};

TEST_F(Forwarded, TheFirstUntrustedFromTheRightIsTheClient) {
  EXPECT_EQ(xff("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(xff("192.0.2.7, 10.0.0.1"), "192.0.2.7");
  EXPECT_EQ(xff("192.0.2.7, 10.0.0.1, 2001:db8:ffff::1,10.2.3.4"), "192.0.2.7");
  EXPECT_EQ(xff("203.0.113.9, 192.0.2.7, 10.0.0.1"), "192.0.2.7");
  // All of them proxies: a client inside the trusted network.
  EXPECT_EQ(xff("10.9.9.9, 10.0.0.1"), "10.9.9.9");
}

TEST_F(Forwarded, WhatAClientWroteInFrontDoesNotMatter) {
  for (const char* forged :
       {"10.0.0.1", "127.0.0.1", "unknown", "garbage \"", "[", ",,,", "a=b;"}) {
    EXPECT_EQ(xff(std::string(forged) + ", 192.0.2.7, 10.0.0.1"), "192.0.2.7") << forged;
    // HAProxy adds a line of its own behind the client's.
    EXPECT_EQ(told(read(ForwardedHeader::kXForwardedFor, "x-forwarded-for: " + std::string(forged) +
                                                             "\r\nX-FORWARDED-FOR: 192.0.2.7\r\n")),
              "192.0.2.7")
        << forged;
    EXPECT_EQ(told(read(ForwardedHeader::kForwarded,
                        "forwarded: " + std::string(forged) + "\r\nForwarded: for=192.0.2.7\r\n")),
              "192.0.2.7")
        << forged;
  }
  // In the same line an open quotation would swallow what the proxy wrote: no way to tell.
  EXPECT_EQ(fwd("for=\"203.0.113.9, for=192.0.2.7"), "malformed");
  std::string many;
  for (int i = 0; i < 200; ++i) many += "10.0.0.1, ";
  EXPECT_EQ(xff(many + "192.0.2.7"), "192.0.2.7");
}

TEST_F(Forwarded, SeveralLinesAreOneList) {
  const std::string lines =
      "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\nX-Other: 1.1.1.1\r\n"
      "X-Forwarded-For: 10.0.0.2\r\nX-Forwarded-For:\r\n";
  EXPECT_EQ(told(read(ForwardedHeader::kXForwardedFor, lines)), "192.0.2.7");
  EXPECT_EQ(told(read(ForwardedHeader::kForwarded,
                      "Forwarded: for=203.0.113.9\r\nForwarded: for=192.0.2.7, for=10.0.0.1\r\n"
                      "Forwarded: for=10.0.0.2;proto=https\r\n")),
            "192.0.2.7");
}

TEST_F(Forwarded, OnlyTheOneThatIsAskedFor) {
  const std::string both = "X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.8\r\n";
  EXPECT_EQ(told(read(ForwardedHeader::kXForwardedFor, both)), "192.0.2.7");
  EXPECT_EQ(told(read(ForwardedHeader::kForwarded, both)), "192.0.2.8");
  EXPECT_EQ(told(read(ForwardedHeader::kOff, both)), "absent");
  EXPECT_EQ(told(read(ForwardedHeader::kForwarded, "X-Forwarded-For: 192.0.2.7\r\n")), "absent");
}

TEST_F(Forwarded, Absent) {
  EXPECT_EQ(told(read(ForwardedHeader::kXForwardedFor, "")), "absent");
  for (const char* empty : {"", " ", ",", " , ,\t,"}) {
    EXPECT_EQ(xff(empty), "absent");
    EXPECT_EQ(fwd(empty), "absent");
  }
}

TEST_F(Forwarded, AddressesOfXForwardedFor) {
  EXPECT_EQ(xff("192.0.2.7:51234"), "192.0.2.7:51234");
  EXPECT_EQ(xff("2001:db8::1"), "[2001:db8::1]");
  EXPECT_EQ(xff("[2001:db8::1]"), "[2001:db8::1]");
  EXPECT_EQ(xff("[2001:db8::1]:443"), "[2001:db8::1]:443");
  EXPECT_EQ(xff("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(xff("192.0.2.7,, 10.0.0.1 ,"), "192.0.2.7");
  EXPECT_EQ(xff("::ffff:10.0.0.1"), "10.0.0.1");
  for (const char* bad : {"localhost",
                          "192.0.2",
                          "192.0.2.7:",
                          "192.0.2.7:65536",
                          "192.0.2.7:-1",
                          "192.0.2.7:000080",
                          "192.0.2.7:80:80",
                          "[192.0.2.7]",
                          "[2001:db8::1",
                          "2001:db8::1]",
                          "[2001:db8::1]443",
                          "[2001:db8::1]:",
                          "fe80::1%eth0",
                          "\"192.0.2.7\"",
                          "for=192.0.2.7",
                          "192.0.2.7 10.0.0.1",
                          "192.0.2.7;10.0.0.1",
                          "[]",
                          ":80",
                          "192.0.2.07.1",
                          "0x7f.1"}) {
    EXPECT_EQ(xff(bad), "malformed") << bad;
    EXPECT_EQ(xff("192.0.2.7, " + std::string(bad) + ", 10.0.0.1"), "malformed") << bad;
  }
}

TEST_F(Forwarded, NodesOfForwarded) {
  EXPECT_EQ(fwd("for=192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(fwd("For=\"192.0.2.7:47011\""), "192.0.2.7:47011");
  EXPECT_EQ(fwd("for=\"[2001:db8::17]:4711\""), "[2001:db8::17]:4711");
  EXPECT_EQ(fwd("FOR=\"[2001:db8::17]\""), "[2001:db8::17]");
  EXPECT_EQ(fwd("for=\"192.0.2.7:_port\""), "192.0.2.7");
  EXPECT_EQ(fwd("for=\"1\\92.0.2.7\""), "192.0.2.7");
  EXPECT_EQ(fwd("proto=https;by=10.0.0.1;host=\"a, for=1.1.1.1\";for=192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(fwd("for=192.0.2.7 ; proto=https , for=10.0.0.1"), "192.0.2.7");
  EXPECT_EQ(fwd("for=203.0.113.9, for=192.0.2.7;by=10.0.0.1;, ,for=10.0.0.1,"), "192.0.2.7");
  for (const char* bad : {"192.0.2.7",
                          "for",
                          "for=",
                          "for= 192.0.2.7",
                          "for =192.0.2.7",
                          "=192.0.2.7",
                          "for=192.0.2.7:80",
                          "for=[2001:db8::1]",
                          "for=2001:db8::1",
                          "for=\"2001:db8::1\"",
                          "for=\"192.0.2.7",
                          "for=\"192.0.2.7\\",
                          "for=\"\"",
                          "for=\"192.0.2.7\"x",
                          "for=192.0.2.7 for=10.0.0.1",
                          "for=192.0.2.7;for=192.0.2.8",
                          "proto=a;PROTO=b;for=192.0.2.7",
                          "for=host.example",
                          "for=\"192.0.2.7 \"",
                          "a=1;b=2;c=3;d=4;e=5;f=6;g=7;h=8;for=192.0.2.7"}) {
    EXPECT_EQ(fwd(bad), "malformed") << bad;
    // An element is never looked into by halves: what follows on the line does not save it.
    EXPECT_EQ(fwd("for=192.0.2.7, " + std::string(bad)), "malformed") << bad;
  }
}

TEST_F(Forwarded, WhoIsNotToldIsUnknown) {
  for (const char* hidden :
       {"unknown", "UNKNOWN", "unknown:80", "_hidden", "_SEVKISEK", "_a.b-c_d"}) {
    EXPECT_EQ(xff(hidden), "unknown") << hidden;
    EXPECT_EQ(fwd("for=\"" + std::string(hidden) + "\""), "unknown") << hidden;
    EXPECT_EQ(xff("192.0.2.7, " + std::string(hidden) + ", 10.0.0.1"), "unknown") << hidden;
    EXPECT_EQ(xff(std::string(hidden) + ", 192.0.2.7"), "192.0.2.7") << hidden;
  }
  EXPECT_EQ(fwd("for=_hidden"), "unknown");
  EXPECT_EQ(fwd("proto=https;by=_x"), "unknown");
  EXPECT_EQ(fwd("for=192.0.2.7, proto=https"), "unknown");
  EXPECT_EQ(fwd("for=_"), "malformed");
  EXPECT_EQ(fwd("for=\"_a b\""), "malformed");
  EXPECT_EQ(fwd("for=\"[unknown]\""), "malformed");
}

TEST_F(Forwarded, Bounds) {
  std::string listed = "192.0.2.7";
  std::string elements = "for=192.0.2.7";
  for (std::size_t i = 1; i < kForwardedHopsMax; ++i) {
    listed += ",10.0.0.1";
    elements += ",for=10.0.0.1";
  }
  EXPECT_EQ(xff(listed), "192.0.2.7");
  EXPECT_EQ(fwd(elements), "192.0.2.7");
  EXPECT_EQ(xff(listed + ",10.0.0.1"), "malformed");
  EXPECT_EQ(fwd(elements + ",for=10.0.0.1"), "malformed");
  // Over several lines too.
  EXPECT_EQ(told(read(ForwardedHeader::kForwarded,
                      "Forwarded: " + elements + "\r\nForwarded: for=10.0.0.1\r\n")),
            "malformed");
}

}  // namespace
}  // namespace sluice::gateway
