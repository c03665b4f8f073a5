#include "ctl/haproxy_lint/server.h"

#include <algorithm>
#include <array>

#include "common/ip.h"
#include "ctl/haproxy_lint/settings.h"

namespace sluice::ctl {
namespace {

/// What a server-template makes at most here; more would say nothing more.
constexpr std::uint64_t kTemplateServersMax = 10'000;

/// Parameters with a value. A word that is in neither list is taken for one without.
constexpr std::array<std::string_view, 62> kWithValue = {"addr",
                                                         "agent-addr",
                                                         "agent-inter",
                                                         "agent-port",
                                                         "agent-send",
                                                         "alpn",
                                                         "ca-file",
                                                         "check-alpn",
                                                         "check-proto",
                                                         "check-sni",
                                                         "ciphers",
                                                         "ciphersuites",
                                                         "cookie",
                                                         "crl-file",
                                                         "crt",
                                                         "curves",
                                                         "downinter",
                                                         "error-limit",
                                                         "fall",
                                                         "fastinter",
                                                         "force-alpn",
                                                         "guid",
                                                         "hash-key",
                                                         "id",
                                                         "init-addr",
                                                         "init-state",
                                                         "inter",
                                                         "log-bufsize",
                                                         "log-proto",
                                                         "max-reuse",
                                                         "maxconn",
                                                         "maxqueue",
                                                         "minconn",
                                                         "namespace",
                                                         "npn",
                                                         "observe",
                                                         "on-error",
                                                         "on-marked-down",
                                                         "on-marked-up",
                                                         "pool-low-conn",
                                                         "pool-max-conn",
                                                         "pool-purge-delay",
                                                         "port",
                                                         "proto",
                                                         "redir",
                                                         "resolve-net",
                                                         "resolve-opts",
                                                         "resolve-prefer",
                                                         "resolvers",
                                                         "rise",
                                                         "set-proxy-v2-tlv-fmt",
                                                         "shard",
                                                         "sigalgs",
                                                         "slowstart",
                                                         "sni",
                                                         "socks4",
                                                         "source",
                                                         "ssl-max-ver",
                                                         "ssl-min-ver",
                                                         "track",
                                                         "verify",
                                                         "weight"};
constexpr std::array<std::string_view, 4> kWithValueToo = {"verifyhost", "proxy-v2-options", "ws",
                                                           "tcp-ut"};
constexpr std::array<std::string_view, 4> kSendProxy = {
    "send-proxy", "send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn"};

template <typename Words>
bool contains(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void read_unix(Server& server, std::string_view path) {
  server.kind = Server::Kind::kUnix;
  server.path = path;
}

void read_address(Server& server) {
  std::string_view text = server.address;
  if (text.starts_with("unix@")) return read_unix(server, text.substr(5));
  if (text.starts_with("abns@")) return read_unix(server, text);
  if (text.starts_with('/')) return read_unix(server, text);
  for (const std::string_view prefix : {"ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@"}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
  // fd@, sockpair@, udp@, rhttp@ …: nothing to be said about them.
  if (text.empty() || text.find('@') != std::string_view::npos) return;
  const std::size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const bool with_port =
      colon != std::string_view::npos &&
      (bracketed ? text.find(']') < colon : !IpAddress::parse(std::string(text)).has_value());
  std::string_view host = with_port ? text.substr(0, colon) : text;
  if (with_port) server.port = text.substr(colon + 1);
  if (bracketed && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  server.host = host;
  const bool numeric = host == "*" || IpAddress::parse(server.host).has_value();
  server.kind = numeric ? Server::Kind::kNumeric : Server::Kind::kName;
}

/// "4", or "2-5".
std::uint64_t template_count(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_haproxy_number(text.substr(0, dash));
  if (!first) return 1;
  if (dash == std::string_view::npos) return std::min(*first, kTemplateServersMax);
  const auto last = parse_haproxy_number(text.substr(dash + 1));
  if (!last || *last < *first) return 1;
  return std::min(*last - *first, kTemplateServersMax - 1) + 1;
}

}  // namespace

const ServerParameter* Server::send_proxy() const {
  for (const std::string_view word : kSendProxy) {
    if (const ServerParameter* found = find(word)) return found;
  }
  return nullptr;
}

void read_server_parameters(const HaproxyLine& line, std::size_t first, ServerParameters& into) {
  const std::vector<std::string>& words = line.words;
  for (std::size_t i = first; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.starts_with("no-")) {
      into.erase(word.substr(3));
      continue;
    }
    ServerParameter& parameter = into[word];
    parameter = {{}, line.number};
    const bool valued = contains(kWithValue, word) || contains(kWithValueToo, word);
    if (valued && i + 1 < words.size()) parameter.value = words[++i];
  }
}

std::optional<Server> read_server(const HaproxyLine& line, const ServerParameters& defaults) {
  const bool is_template = line.words.front() == "server-template";
  const std::size_t address = is_template ? 3 : 2;
  if (line.words.size() <= address) return std::nullopt;
  Server server;
  server.name = line.words[1];
  server.address = line.words[address];
  server.line = line.number;
  if (is_template) server.count = template_count(line.words[2]);
  server.parameters = defaults;
  read_address(server);
  read_server_parameters(line, address + 1, server.parameters);
  return server;
}

}  // namespace sluice::ctl
