// Who a client is, as the gateway knows it: told by a real HAProxy in PROXY headers and in request
// heads, forged by those who may not say it.
//
// TLS clients are listeners of the same HAProxy that speak TLS to its TLS frontend, each with a
// certificate of its own: the test says plain bytes to them, the handshake between the two is real.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/proxy_header.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

/// Certificates in a directory: the proxy's own, an authority's with a client's, and a client's of
/// an authority that nobody knows. Each as NAME.pem with its key.
class Certificates {
 public:
  explicit Certificates(const TempDir& directory) : directory_(directory) {
    make("proxy", "gateway.example");
    make("ca", "Test CA");
    make("alice", "alice", "ca");
    make("stranger-ca", "Stranger CA");
    make("mallory", "mallory", "stranger-ca");
  }

 private:
  void make(const std::string& name, const std::string& common_name,
            const std::string& signed_by = "") {
    const std::string pem = directory_.file(name + ".pem");
    Args args{"/usr/bin/openssl",
              "req",
              "-x509",
              "-newkey",
              "ec",
              "-pkeyopt",
              "ec_paramgen_curve:P-256",
              "-nodes",
              "-days",
              "2",
              "-subj",
              "/CN=" + common_name,
              "-keyout",
              pem + ".key",
              "-out",
              pem};
    if (!signed_by.empty()) {
      const std::string by = directory_.file(signed_by + ".pem");
      args.insert(args.end(), {"-CA", by, "-CAkey", by + ".key"});
    }
    SpawnOptions options;
    options.args = std::move(args);
    const Finished finished = run(std::move(options));
    if (finished.status.code != 0) throw HarnessError("openssl: " + finished.output);
    // HAProxy reads both from one file.
    directory_.write(name + ".pem", read_file(pem) + read_file(pem + ".key"));
  }

  const TempDir& directory_;
};

/// HAProxy in front of one gateway, with a frontend for each way in.
class Front {
 public:
  Front(const TempDir& directory, std::uint16_t gateway, const std::string& server_options,
        const std::string& backend_lines = "") {
    for (const char* name : {"plain", "tls", "nobody", "alice", "mallory"}) {
      ways_[name].port = free_port();
    }
    const std::string file =
        directory.write("haproxy.cfg", config(directory, gateway, server_options, backend_lines));
    SpawnOptions options;
    options.args = {"/usr/sbin/haproxy", "-db", "-f", file};
    process_ = std::make_unique<Process>(std::move(options));
    const bool up = eventually(15s, [&] {
      if (!process_->running()) throw HarnessError("haproxy ended: " + process_->output());
      try {
        return http_get(ways_["plain"], "/").status != 0;
      } catch (const HarnessError&) {
        return false;
      }
    });
    if (!up) throw HarnessError("haproxy does not listen");
  }

  [[nodiscard]] const Endpoint& way(const std::string& name) const { return ways_.at(name); }

 private:
  std::string config(const TempDir& directory, std::uint16_t gateway,
                     const std::string& server_options, const std::string& backend_lines) {
    const auto client = [&](const std::string& name, const std::string& certificate) {
      return "listen " + name + "\n  mode tcp\n  bind " + ways_[name].text() +
             "\n  source 127.0.0.78\n  server s " + ways_["tls"].text() +
             " ssl verify none sni str(chat.example.org) alpn http/1.1" +
             (certificate.empty() ? "" : " crt " + directory.file(certificate)) + "\n";
    };
    return "global\n  maxconn 200\n  log stdout format raw local0 warning\n"
           "defaults\n  mode http\n  timeout connect 1s\n  timeout client 30s\n"
           "  timeout server 30s\n  timeout tunnel 60s\n  unique-id-format unique-%ci-%pid\n"
           "frontend plain\n  bind " +
           ways_["plain"].text() + "\n  default_backend gateway\nfrontend tls\n  bind " +
           ways_["tls"].text() + " ssl crt " + directory.file("proxy.pem") + " ca-file " +
           directory.file("ca.pem") +
           " verify optional crt-ignore-err all alpn h2,http/1.1\n  default_backend gateway\n" +
           client("nobody", "") + client("alice", "alice.pem") + client("mallory", "mallory.pem") +
           "backend gateway\n" + backend_lines + "  server g 127.0.0.1:" + std::to_string(gateway) +
           " " + server_options + "\n";
  }

  std::map<std::string, Endpoint> ways_;
  std::unique_ptr<Process> process_;
};

class ClientIdentity : public ::testing::Test {
 protected:
  static constexpr const char* kProxyOptions =
      "send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,"
      "unique-id";

  Gateway& start(Args args) {
    Stack::Settings settings;
    settings.gateway_args = std::move(args);
    stack_ = std::make_unique<Stack>(std::move(settings));
    return stack_->gateway();
  }
  void start_front(const std::string& server_options, const std::string& backend_lines = "") {
    const Certificates certificates(directory_);
    front_ = std::make_unique<Front>(directory_, stack_->gateway().endpoint().port, server_options,
                                     backend_lines);
  }
  static Endpoint from(Endpoint to, const std::string& source) {
    to.source = source;
    return to;
  }
  /// Connects, and what the gateway's log then says about the client, from "address=" on.
  std::string connect(const Endpoint& to, const UpgradeRequest& request = {}) {
    const std::size_t mark = stack_->gateway().process().mark();
    clients_.push_back(WsClient::dial(to, request));
    if (!clients_.back().open()) {
      return "refused " + std::to_string(clients_.back().response().status);
    }
    return stack_->gateway().process().wait_line("client connected id=[0-9a-f]{32} (.*)$", 10s,
                                                 mark)[1];
  }
  std::string connect_with(const Endpoint& to, const std::string& header,
                           const std::string& value) {
    UpgradeRequest request;
    request.headers[header] = value;
    return connect(to, request);
  }
  /// What comes back on a connection that begins with `header`.
  std::string answer_to(const Endpoint& to, const std::string& header) {
    Socket socket = Socket::connect(to);
    UpgradeRequest request;
    request.before = header;
    static_cast<void>(socket.try_send(upgrade_bytes(request)));
    return socket.read_all(5s);
  }
  double metric(const std::string& name, const std::string& label) {
    return stack_->gateway().metrics().value(name, label);
  }
  double refused(const std::string& reason) {
    return metric("sluice_gateway_refused_total", reason);
  }
  double forwarded(const std::string& outcome) {
    return metric("sluice_gateway_forwarded_total", outcome);
  }
  static void expect_match(const std::string& text, const std::string& pattern) {
    EXPECT_TRUE(std::regex_match(text, std::regex(pattern))) << text << "\nis not " << pattern;
  }

  TempDir directory_;
  std::unique_ptr<Stack> stack_;
  std::unique_ptr<Front> front_;
  std::vector<WsClient> clients_;
};

// ---- PROXY headers of version 2

TEST_F(ClientIdentity, HaproxyTellsAddressAndUniqueId) {
  start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.1"});
  start_front(kProxyOptions);
  expect_match(connect(from(front_->way("plain"), "127.0.0.77")),
               R"(address=127\.0\.0\.77:\d+ channel=livechat unique_id=unique-127\.0\.0\.77-\d+)");
}

TEST_F(ClientIdentity, HaproxyTellsTlsFactsAndVerifiedCertificates) {
  start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.1"});
  start_front(kProxyOptions);
  const std::string tls =
      R"(address=127\.0\.0\.78:\d+ channel=livechat tls=TLSv1\.3 cipher=TLS_AES_256_GCM_SHA384 )"
      R"(sni=chat\.example\.org alpn=http/1\.1 unique_id=unique-127\.0\.0\.78-\d+)";
  expect_match(connect(front_->way("nobody")), tls);
  expect_match(connect(front_->way("alice")), tls + " cert_cn=alice");
  // HAProxy lets her in and passes her name on; the gateway believes no name that is not verified.
  expect_match(connect(front_->way("mallory")), tls);
  EXPECT_EQ(refused("proxy_checksum") + refused("proxy_malformed"), 0);
  for (WsClient& client : clients_) {
    client.send_text("hello");
    EXPECT_EQ(client.text(), "hello");
    client.socket().close();
  }
}

TEST_F(ClientIdentity, ADamagedHeaderIsClosed) {
  Gateway& gateway = start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.1"});
  const std::string address("\x7f\0\0\x09", 4);
  EXPECT_EQ(answer_to(gateway.endpoint(),
                      proxy_v2::tcp4(address, 1, std::string("\x03\0\x04\0\0\0\0", 7))),
            "");
  EXPECT_EQ(refused("proxy_checksum"), 1);
  EXPECT_EQ(answer_to(gateway.endpoint(), proxy_v2::tcp4(address, 1, "\x02\x01")), "");
  EXPECT_EQ(
      answer_to(gateway.endpoint(),
                proxy_v2::tcp4(address, 1, std::string("\x05\0\x81", 3) + std::string(129, 'u'))),
      "");
  EXPECT_EQ(refused("proxy_malformed"), 2);
  gateway.process().wait_line("closed a connection from 127\\.0\\.0\\.1:\\d+: the CRC-32C");
}

TEST_F(ClientIdentity, AClientsTextStaysInsideItsLogField) {
  Gateway& gateway = start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.1"});
  const std::string name = "a\nclient connected id=0 cert_cn=\"root\" \x1b[2J";
  UpgradeRequest request;
  request.before = proxy_v2::tcp4(std::string("\x7f\0\0\x09", 4), 4711,
                                  std::string("\x02\0", 2) + static_cast<char>(name.size()) + name);
  EXPECT_EQ(connect(gateway.endpoint(), request),
            "address=127.0.0.9:4711 channel=livechat "
            R"(sni="a\x0aclient connected id=0 cert_cn=\"root\" \x1b[2J")");
}

// ---- request heads

TEST_F(ClientIdentity, XForwardedForOfHaproxy) {
  start({"--forwarded-header", "x-forwarded-for", "--trusted-proxy", "127.0.0.1",
         "--max-connections-per-ip", "2"});
  start_front("", "  option forwardfor\n");
  // Nothing is told over TCP: without the header this would be HAProxy's address.
  const Endpoint way = from(front_->way("plain"), "127.0.0.77");
  EXPECT_EQ(connect(way), "address=127.0.0.77 channel=livechat");
  // What a client puts in front changes nothing, whatever it is.
  EXPECT_EQ(connect_with(way, "X-Forwarded-For", "203.0.113.9, \"garbage"),
            "address=127.0.0.77 channel=livechat");
  // Counted for the client, not for the proxy, and not for the address that it would like.
  EXPECT_EQ(connect_with(way, "X-Forwarded-For", "203.0.113.10"), "refused 429");
  EXPECT_EQ(refused("address_full"), 1);
  for (const char* other : {"127.0.0.79", "127.0.0.80", "127.0.0.81"}) {
    EXPECT_EQ(connect(from(front_->way("plain"), other)),
              "address=" + std::string(other) + " channel=livechat");
  }
  EXPECT_EQ(connect(front_->way("alice")), "address=127.0.0.78 channel=livechat");
  // A place that is given back can be taken again.
  clients_.front().socket().close();
  EXPECT_TRUE(
      eventually(10s, [&] { return connect(way) == "address=127.0.0.77 channel=livechat"; }));
  EXPECT_GE(forwarded("taken"), 7);
  EXPECT_EQ(forwarded("ignored") + refused("forwarded_malformed"), 0);
}

TEST_F(ClientIdentity, ForwardedOfHaproxy) {
  start({"--forwarded-header", "forwarded", "--trusted-proxy", "127.0.0.1"});
  start_front(
      "", "  http-request add-header Forwarded \"for=\\\"%[src]:%[src_port]\\\";proto=http\"\n");
  const Endpoint way = from(front_->way("plain"), "127.0.0.77");
  expect_match(connect(way), R"(address=127\.0\.0\.77:\d+ channel=livechat)");
  expect_match(connect_with(way, "Forwarded", "for=203.0.113.9"),
               R"(address=127\.0\.0\.77:\d+ channel=livechat)");
  expect_match(connect_with(way, "Forwarded", "for=\"203.0.113.9"),
               R"(address=127\.0\.0\.77:\d+ channel=livechat)");
}

TEST_F(ClientIdentity, BehindAProxyHeaderTheHeadIsTheClientsOwn) {
  start({"--proxy-protocol", "required", "--forwarded-header", "x-forwarded-for", "--trusted-proxy",
         "127.0.0.1"});
  start_front("send-proxy-v2");
  // HAProxy is trusted, the client that it names is not.
  expect_match(
      connect_with(from(front_->way("plain"), "127.0.0.77"), "X-Forwarded-For", "203.0.113.9"),
      R"(address=127\.0\.0\.77:\d+ channel=livechat)");
  EXPECT_EQ(forwarded("ignored"), 1);
}

TEST_F(ClientIdentity, MalformedOfATrustedProxyIsRefused) {
  Gateway& gateway =
      start({"--forwarded-header", "x-forwarded-for", "--trusted-proxy", "127.0.0.0/16"});
  const Endpoint trusted = from(gateway.endpoint(), "127.0.3.1");
  EXPECT_EQ(connect_with(trusted, "X-Forwarded-For", "203.0.113.9, 10.0.0.256"), "refused 400");
  EXPECT_EQ(refused("forwarded_malformed"), 1);
  gateway.process().wait_line("closed a connection from 127\\.0\\.3\\.1:\\d+: x-forwarded-for: ");
  EXPECT_EQ(connect_with(trusted, "X-Forwarded-For", "203.0.113.9, 127.0.3.2"),
            "address=203.0.113.9 channel=livechat");
  expect_match(connect_with(trusted, "X-Forwarded-For", "unknown"),
               R"(address=127\.0\.3\.1:\d+ channel=livechat)");
  EXPECT_EQ(forwarded("unknown"), 1);
  expect_match(connect(trusted), R"(address=127\.0\.3\.1:\d+ channel=livechat)");
  EXPECT_EQ(forwarded("absent"), 1);
}

// ---- forged

TEST_F(ClientIdentity, ForgedFromAnUntrustedAddressChangesNothing) {
  Gateway& gateway = start({"--proxy-protocol", "optional", "--forwarded-header", "x-forwarded-for",
                            "--trusted-proxy", "127.0.0.0/16", "--max-connections-per-ip", "3"});
  const std::string forged("\xCB\0\x71\x09", 4);
  const Endpoint stranger = from(gateway.endpoint(), "127.1.0.5");
  // The same bytes count from a trusted address, so it is the address that decides.
  UpgradeRequest request;
  request.before = proxy_v2::tcp4(forged, 4711, std::string("\x05\0\x02id", 5));
  EXPECT_EQ(connect(from(gateway.endpoint(), "127.0.0.5"), request),
            "address=203.0.113.9:4711 channel=livechat unique_id=id");

  EXPECT_EQ(answer_to(stranger, request.before), "");
  EXPECT_EQ(answer_to(stranger, proxy_v1("203.0.113.9", 4711)), "");
  EXPECT_EQ(refused("proxy_untrusted"), 2);
  for (const char* value : {"203.0.113.9", "127.0.0.1", "garbage \""}) {
    expect_match(connect_with(stranger, "X-Forwarded-For", value),
                 R"(address=127\.1\.0\.5:\d+ channel=livechat)");
  }
  EXPECT_EQ(forwarded("ignored"), 3);
  EXPECT_EQ(forwarded("taken"), 0);
  // Its own bound, whatever it says.
  EXPECT_EQ(connect_with(stranger, "X-Forwarded-For", "203.0.113.10"), "refused 429");
  // The one whose address it would like still has its place and its name.
  EXPECT_EQ(connect(from(gateway.endpoint(), "127.0.0.5"), request),
            "address=203.0.113.9:4711 channel=livechat unique_id=id");
  clients_.front().send_text("still here");
  EXPECT_EQ(clients_.front().text(), "still here");
}

TEST_F(ClientIdentity, AForwardedHeaderNeedsSomebodyToTrust) {
  SpawnOptions options;
  options.args = {gateway_program(),
                  "--id",
                  "1111",
                  "--listen",
                  "127.0.0.1:0",
                  "--relay",
                  "unix:" + directory_.file("relay.sock"),
                  "--forwarded-header",
                  "forwarded"};
  const Finished finished = run(std::move(options));
  EXPECT_EQ(finished.status.code, 2);
  EXPECT_NE(finished.output.find("--forwarded-header needs --trusted-proxy"), std::string::npos)
      << finished.output;
}

}  // namespace
}  // namespace sluice::test
