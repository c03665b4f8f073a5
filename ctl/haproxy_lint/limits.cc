// Rules about how many.
#include <algorithm>
#include <array>
#include <set>

#include "ctl/haproxy_lint/rule.h"

namespace sluice::ctl {
namespace {

/// Above, a limit per address is no longer one that a company or a mobile network meets by itself.
constexpr std::uint64_t kNatClientsMax = 1000;

std::optional<std::uint64_t> number_of(const HaproxyLine* line) {
  if (line == nullptr || line->words.size() < 2) return std::nullopt;
  return parse_haproxy_number(line->words[1]);
}

/// What all its gateways take together; none: one of them has no bound, or there are none.
std::optional<std::uint64_t> servers_room(const Proxy& proxy) {
  std::uint64_t sum = 0;
  for (const Server& server : proxy.servers) {
    const ServerParameter* maxconn = server.find("maxconn");
    const auto room = maxconn == nullptr ? std::nullopt : parse_haproxy_number(maxconn->value);
    if (!room || *room == 0 || *room > UINT32_MAX) return std::nullopt;
    sum += *room * server.count;
  }
  return proxy.servers.empty() ? std::nullopt : std::optional(sum);
}

/// Of all backends that a frontend leads to.
std::optional<std::uint64_t> room_behind(const HaproxySetup& setup, const Proxy& front) {
  if (front.back()) return servers_room(front);
  std::uint64_t sum = 0;
  for (const Proxy& proxy : setup.proxies) {
    const bool led_to = front.settings.has({"default_backend", proxy.name}) ||
                        front.settings.has({"use_backend", proxy.name});
    if (!proxy.judged || !proxy.back() || !led_to) continue;
    const auto room = servers_room(proxy);
    if (!room) return std::nullopt;
    sum += *room;
  }
  return sum == 0 ? std::nullopt : std::optional(sum);
}

// ---- limits per address

constexpr std::array<std::string_view, 5> kRefusals = {"deny", "return", "reject", "tarpit",
                                                       "silent-drop"};
constexpr std::array<std::string_view, 6> kCounters = {
    "conn_cur", "conn_rate", "sess_rate", "http_req_rate", "conn_cnt", "http_req_cnt"};

bool refuses(const HaproxyLine& line) {
  const std::vector<std::string>& words = line.words;
  std::size_t action = 0;
  if (words[0] == "http-request") action = 1;
  if (words[0] == "tcp-request") action = 2;
  return action > 0 && words.size() > action &&
         std::find(kRefusals.begin(), kRefusals.end(), words[action]) != kRefusals.end();
}

/// The numbers of the track-scN lines whose key is the client's address.
std::set<char> tracked_by_address(const Proxy& proxy) {
  std::set<char> tracked;
  for (const HaproxyLine* line : proxy.settings.lines()) {
    const std::vector<std::string>& words = line->words;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      const std::string_view key = words[i + 1];
      const bool address = key == "src" || key.starts_with("src,");
      if (words[i].starts_with("track-sc") && words[i].size() == 9 && address)
        tracked.insert(words[i][8]);
    }
  }
  return tracked;
}

/// "sc_conn_cur(0)", "sc0_conn_cur", "src_conn_rate" …
bool counts_an_address(std::string_view word, const std::set<char>& tracked) {
  const bool counter = std::any_of(kCounters.begin(), kCounters.end(), [&](auto name) {
    return word.find(name) != std::string_view::npos;
  });
  if (!counter) return false;
  if (word.starts_with("src_")) return true;
  if (!word.starts_with("sc")) return false;
  const std::size_t digit = word.starts_with("sc_") ? word.find('(') + 1 : 2;
  return digit < word.size() && tracked.contains(word[digit]);
}

/// The highest number in a condition: "gt 50", "ge 20".
std::uint64_t threshold(const std::vector<std::string>& condition) {
  std::uint64_t highest = 0;
  for (const std::string& word : condition)
    highest = std::max(highest, parse_haproxy_number(word).value_or(0));
  return highest;
}

}  // namespace

Verdict global_maxconn(const Subject& subject) {
  if (number_of(subject.setup.global.last({"maxconn"}))) return std::nullopt;
  return Complaint{subject.setup.global_line,
                   "no maxconn in global: HAProxy takes what the descriptor limit allows, 498 "
                   "clients with a limit of 1024, and who comes later hangs without an answer",
                   "maxconn 8000 in global: a WebSocket takes two descriptors, and a limit that is "
                   "too low then stops the start with a message"};
}

Verdict frontend_maxconn(const Subject& subject) {
  const HaproxyLine* line = subject.proxy->settings.last({"maxconn"});
  const auto here = number_of(line);
  const auto room = room_behind(subject.setup, *subject.proxy);
  if (!here || !room) return std::nullopt;
  const auto global = number_of(subject.setup.global.last({"maxconn"}));
  const std::uint64_t fits = global ? std::min(*global, *room) : *room;
  if (*here >= fits) return std::nullopt;
  return Complaint{line->number,
                   "maxconn " + std::to_string(*here) +
                       " is less than what the servers behind it take (" + std::to_string(*room) +
                       "): who comes above it hangs without an answer while gateways have room",
                   "maxconn " + std::to_string(fits) + ", or none: then global's counts"};
}

Verdict nat_limit(const Subject& subject) {
  const Proxy& proxy = *subject.proxy;
  const std::set<char> tracked = tracked_by_address(proxy);
  for (const HaproxyLine* line : proxy.settings.lines()) {
    if (!refuses(*line)) continue;
    const std::vector<std::string> condition = condition_words(proxy, *line);
    const bool counts = std::any_of(condition.begin(), condition.end(), [&](const auto& word) {
      return counts_an_address(word, tracked);
    });
    if (!counts || threshold(condition) > kNatClientsMax) continue;
    return Complaint{
        line->number,
        "a limit per client address: everybody behind one NAT, one company proxy or one "
        "CDN is one address, and the next of them is refused",
        "leave it to the gateways' bounds (--max-connections-per-ip), or count a header "
        "of your CDN instead of src"};
  }
  return std::nullopt;
}

}  // namespace sluice::ctl
