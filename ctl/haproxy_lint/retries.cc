// Rules about what becomes of a client whose gateway does not take it.
#include <algorithm>
#include <array>
#include <cctype>

#include "ctl/haproxy_lint/rule.h"

namespace sluice::ctl {
namespace {

/// The races of a restart.
constexpr std::array<std::string_view, 3> kRaces = {"conn-failure", "empty-response", "503"};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

Verdict redispatch(const Subject& subject) {
  const Proxy& proxy = *subject.proxy;
  const HaproxyLine* option = proxy.settings.option("redispatch");
  const bool off = option != nullptr && option->words.size() > 2 && option->words[2] == "0";
  if (!proxy.many_servers() || (option != nullptr && !off)) return std::nullopt;
  return Complaint{off ? option->number : proxy.line,
                   std::string(off ? "option redispatch 0" : "no option redispatch") +
                       ": every try goes to the same gateway: while one is away its "
                       "share of the clients gets 503 after 3 s (with it: another one within 2 ms)",
                   "option redispatch 1"};
}

Verdict retry_on(const Subject& subject) {
  const Proxy& proxy = *subject.proxy;
  if (!proxy.http()) return std::nullopt;
  const HaproxyLine* line = proxy.settings.last({"retry-on"});
  std::string missing;
  for (const std::string_view race : kRaces) {
    const auto& words = line != nullptr ? line->words : std::vector<std::string>{};
    const bool there = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
      return word == race || word == "all-retryable-errors";
    });
    if (there) continue;
    missing += missing.empty() ? "" : " ";
    missing += race;
  }
  if (missing.empty()) return std::nullopt;
  const std::string fix =
      "retry-on conn-failure empty-response 503: an upgrade is a GET without side effects";
  if (line == nullptr) {
    return Complaint{
        proxy.line,
        "no retry-on: a gateway that closes with the client still in its accept queue, "
        "is full, or has begun to drain makes 502 or 503 of what another would take",
        fix};
  }
  return Complaint{
      line->number,
      "retry-on without " + missing +
          ": what a restarting, full or draining gateway refuses so reaches the client "
          "as 502 or 503, though another gateway would take it",
      fix};
}

Verdict retries_zero(const Subject& subject) {
  const HaproxyLine* line = subject.proxy->settings.last({"retries"});
  if (line == nullptr || line->words.size() < 2 || line->words[1] != "0") return std::nullopt;
  return Complaint{line->number,
                   "retries 0: no second try, whatever redispatch and retry-on say: each client "
                   "that meets a gateway in restart gets 503",
                   "retries 3"};
}

Verdict mode_tcp(const Subject& subject) {
  if (subject.proxy->http()) return std::nullopt;
  const HaproxyLine* mode = subject.proxy->settings.last({"mode"});
  return Complaint{
      mode != nullptr ? mode->number : subject.proxy->line,
      std::string(mode != nullptr ? "mode tcp" : "no mode, so tcp") +
          ": the 503 of a full or draining gateway goes to the client (another gateway "
          "would take it), slow request heads get no 408, and only a PROXY header can "
          "tell the client's address",
      "mode http"};
}

Verdict upgrade_header(const Subject& subject) {
  for (const HaproxyLine* line : subject.proxy->settings.lines()) {
    if (!begins_with(*line, {"http-request", "del-header"}) || line->words.size() < 3) continue;
    const std::string header = lower(line->words[2]);
    const bool conditional = line->words.size() > 3;
    if (conditional || (header != "upgrade" && header != "sec-websocket-key")) continue;
    return Complaint{
        line->number,
        header == "upgrade"
            ? "Upgrade is taken out of every request: each WebSocket gets 426"
            : "Sec-WebSocket-Key is taken out of every request: each WebSocket gets 502",
        "leave the line out"};
  }
  return std::nullopt;
}

}  // namespace sluice::ctl
