#include "gateway/haproxy_server.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "common/ip.h"
#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

/// As in haproxy/haproxy.cfg: out after about 3 s, back after 2 s.
constexpr const char* kCheckPace = "inter 1s fall 3 rise 2";
constexpr const char* kAgentPace = "agent-inter 1s";
/// The agent's and the operator's percentages are of this.
constexpr const char* kWeight = "weight 100";
constexpr const char* kSlowStart = "slowstart 20s";

/// Ids that HAProxy deals out count from 1; its own bound is 2^31 - 1.
constexpr unsigned kMarkShift = 16;
constexpr std::uint32_t kMarks = 1U << 14U;

constexpr std::string_view kNameBytes =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:_-";
constexpr std::size_t kNameBytesMax = 64;
/// Neither an end of command nor quoting.
constexpr std::string_view kOptionBytes =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .:_-,/%@*()[]=+";

/// FNV-1a: the same in every build, which std::hash is not.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211U;
  }
  return hash ^ hash >> 32U;
}

std::uint32_t mark_of(std::string_view name) {
  return 1 + static_cast<std::uint32_t>(hash_of(name) % kMarks);
}

bool is_any(const Address& address) {
  return address.host == "*" || address.host == "0.0.0.0" || address.host == "::";
}

bool is_loopback(const Address& address) {
  return address.host.starts_with("127.") || address.host == "::1";
}

/// A HAProxy that a Unix socket or the loopback reaches is on this host.
const Address* elsewhere(const std::vector<Address>& sockets) {
  for (const Address& socket : sockets) {
    if (socket.kind == Address::Kind::kTcp && !is_loopback(socket)) return &socket;
  }
  return nullptr;
}

std::string loopback_like(const Address& address) {
  return address.host == "::" ? "::1" : "127.0.0.1";
}

Result<Address> server_address(const GatewayConfig& config, const BoundAddresses& bound) {
  if (config.haproxy_advertise) return *config.haproxy_advertise;
  if (!bound.clients) {
    return fail(
        ErrorCode::kInvalid,
        "--haproxy-socket: --listen names no TCP address for HAProxy to connect to: add one, "
        "or say --haproxy-advertise ADDR:PORT");
  }
  Address at = *bound.clients;
  const Address* away = elsewhere(config.haproxy_sockets);
  if (away != nullptr && (is_any(at) || is_loopback(at))) {
    return fail(ErrorCode::kInvalid, "--haproxy-socket: --listen " + to_string(at) +
                                         " is no address for the HAProxy at " + to_string(*away) +
                                         ": say --haproxy-advertise ADDR:PORT");
  }
  if (is_any(at)) at.host = loopback_like(at);
  return at;
}

/// Where HAProxy asks a listener of ours: the server's own address where the listener takes any.
Result<std::string> check_host(const GatewayConfig& config, const Address& listener,
                               const Address& server, const char* flag) {
  if (is_any(listener)) return server.host;
  const Address* away = elsewhere(config.haproxy_sockets);
  if (away != nullptr && is_loopback(listener)) {
    return fail(ErrorCode::kInvalid, std::string("--haproxy-socket: ") + flag + " " +
                                         to_string(listener) +
                                         " can't be asked by the HAProxy at " + to_string(*away) +
                                         ": give it an address of this host");
  }
  return listener.host;
}

Result<std::string> check_words(const GatewayConfig& config, const BoundAddresses& bound,
                                const Address& at) {
  if (!bound.admin) {
    return fail(ErrorCode::kInvalid,
                "--haproxy-socket needs --admin-listen ADDR:PORT: HAProxy asks /readyz there, and "
                "without a check it would never miss a gateway that died");
  }
  const auto host = check_host(config, *bound.admin, at, "--admin-listen");
  if (!host) return tl::make_unexpected(host.error());
  std::string words = "check ";
  if (*host != at.host) {
    words += "addr ";
    words += host->find(':') == std::string::npos ? *host : "[" + *host + "]";
    words += " ";
  }
  return words + "port " + std::to_string(bound.admin->port) + " " + kCheckPace;
}

/// Agent check and bound of connections, or slow start: on a server that has just been added, both
/// together let in one client at first (slowstart ramps maxconn too), and after a reload of HAProxy
/// every server has just been added. With an agent check the ramp is the agent's.
Result<std::string> load_words(const GatewayConfig& config, const BoundAddresses& bound,
                               const Address& at) {
  if (!bound.agent) return std::string(kWeight) + " " + kSlowStart;
  const auto host = check_host(config, *bound.agent, at, "--agent-listen");
  if (!host) return tl::make_unexpected(host.error());
  std::string words = "agent-check ";
  if (*host != at.host) words += "agent-addr " + *host + " ";
  return words + "agent-port " + std::to_string(bound.agent->port) + " " + kAgentPace + " " +
         kWeight + " maxconn " + std::to_string(config.connections_max);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         text.find_first_not_of(kNameBytes) == std::string_view::npos;
}

}  // namespace

std::uint32_t server_id(std::string_view name, std::string_view words) {
  std::string all(name);
  all += ' ';
  all += words;
  return (mark_of(name) << kMarkShift) | static_cast<std::uint32_t>(hash_of(all) & 0xffffU);
}

bool made_for(std::uint32_t id, std::string_view name) {
  return id >> kMarkShift == mark_of(name);
}

std::optional<Address> bound_tcp(int fd) {
  auto address = parse_address(local_name(fd));
  if (!address || address->kind != Address::Kind::kTcp) return std::nullopt;
  return *address;
}

Result<ServerPlan> plan_server(const GatewayConfig& config, const BoundAddresses& bound) {
  auto at = server_address(config, bound);
  if (!at) return tl::make_unexpected(at.error());
  auto check = check_words(config, bound, *at);
  if (!check) return tl::make_unexpected(check.error());
  auto load = load_words(config, bound, *at);
  if (!load) return tl::make_unexpected(load.error());
  ServerPlan plan;
  plan.backend = config.haproxy_server.backend;
  plan.name = config.haproxy_server.name.empty() ? config.id : config.haproxy_server.name;
  plan.at = *at;
  plan.agent = bound.agent.has_value();
  plan.words = to_string(*at) + " ";
  if (config.proxy_mode != ProxyMode::kOff) plan.words += "send-proxy-v2 ";
  plan.words += *check + " " + *load;
  // Last, so that they win.
  if (!config.haproxy_options.empty()) plan.words += " " + config.haproxy_options;
  plan.id = server_id(plan.name, plan.words);
  return plan;
}

Result<BackendServer> parse_backend_server(const std::string& text) {
  const std::size_t slash = text.find('/');
  BackendServer parsed;
  parsed.backend = text.substr(0, slash);
  if (slash != std::string::npos) parsed.name = text.substr(slash + 1);
  if (!is_name(parsed.backend) || (slash != std::string::npos && !is_name(parsed.name))) {
    return fail(
        ErrorCode::kInvalid,
        "'" + text + "' is not BACKEND/NAME or BACKEND, each 1 to 64 of A-Z a-z 0-9 . : _ -");
  }
  return parsed;
}

Result<std::string> parse_server_options(const std::string& text) {
  if (text.size() > kHaproxyOptionsBytesMax)
    return fail(ErrorCode::kTooLarge, "at most 512 bytes of server options");
  if (text.find_first_not_of(kOptionBytes) != std::string::npos) {
    return fail(ErrorCode::kInvalid,
                "'" + text + "' holds a character that no option of a server needs");
  }
  std::istringstream in(text);
  std::string words;
  for (std::string word; in >> word;) {
    // `enabled` makes HAProxy 2.6 miscount its active servers once the server is deleted.
    static constexpr std::array<const char*, 4> kOurs = {"id", "enabled", "disabled", "track"};
    if (std::find(kOurs.begin(), kOurs.end(), word) != kOurs.end())
      return fail(ErrorCode::kInvalid, "'" + word + "' is not for a server that registers itself");
    words += (words.empty() ? "" : " ") + word;
  }
  return words;
}

}  // namespace sluice::gateway
