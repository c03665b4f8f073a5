// Rules about `timeout …`.
#include <algorithm>

#include "common/units.h"
#include "ctl/haproxy_lint/rule.h"

namespace sluice::ctl {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// What is above holds a client that nobody serves for longer than anybody waits.
constexpr Duration kIdleMax = minutes(5);
constexpr Duration kConnectMax = seconds(10);
constexpr Duration kHeadMax = minutes(1);
constexpr Duration kQueueMax = seconds(5);
/// What a gateway that stalls for a moment (accept queue, restart) may take.
constexpr Duration kServerMin = seconds(5);
/// HAProxy pauses so long before it tries the same server again, unless `timeout connect` is
/// shorter.
constexpr Duration kRetryPause = seconds(1);

/// What ends an idle session where there is no `timeout tunnel`.
std::optional<Duration> idle_end(const Subject& subject) {
  std::optional<Duration> shortest = subject.setup.fronts.client_timeout;
  if (const auto server = subject.proxy->settings.timeout("server"))
    shortest = shortest ? std::min(*shortest, server->value) : server->value;
  return shortest;
}

std::string pings(const Subject& subject) {
  return "the gateways' pings (every " + format_duration(subject.options.ping_interval) + ")";
}

std::string tunnel_fix(const Subject& subject) {
  const Duration fit = subject.options.ping_interval * 18 / 5;
  return "timeout tunnel " + format_duration(std::chrono::ceil<seconds>(fit)) + ": three of " +
         pings(subject) + " and some";
}

}  // namespace

Verdict timeout_tunnel(const Subject& subject) {
  const auto tunnel = subject.proxy->settings.timeout("tunnel");
  if (tunnel && tunnel->value > subject.options.ping_interval) return std::nullopt;
  const Settings& settings = subject.proxy->settings;
  if (subject.setup.fronts.sets_tunnel || settings.has({"http-request", "set-timeout", "tunnel"}))
    return std::nullopt;
  if (tunnel) {
    return Complaint{tunnel->line->number,
                     "timeout tunnel " + format_duration(tunnel->value) + " is not longer than " +
                         pings(subject) +
                         ": every idle session is cut, and an equal time loses too",
                     tunnel_fix(subject)};
  }
  const auto end = idle_end(subject);
  std::string message = "no timeout tunnel: after the upgrade the shorter of timeout client and ";
  if (!end) {
    message +=
        "timeout server counts, and there is neither: a client that vanished is never given up";
  } else if (*end <= subject.options.ping_interval) {
    message += "timeout server counts, " + format_duration(*end) + ", which is not longer than " +
               pings(subject) + ": every idle session is cut";
  } else {
    message +=
        "timeout server counts: an idle session, and one whose client vanished, ends after " +
        format_duration(*end);
  }
  return Complaint{subject.proxy->line, message, tunnel_fix(subject)};
}

Verdict timeout_client(const Subject& subject) {
  const auto client = subject.proxy->settings.timeout("client");
  if (client && client->value <= kIdleMax) return std::nullopt;
  const std::string fix =
      "timeout client 30s: it counts until the upgrade only, timeout tunnel after it";
  if (!client) {
    return Complaint{subject.proxy->line,
                     "no timeout client: a client that says nothing holds its connection for ever",
                     fix};
  }
  return Complaint{client->line->number,
                   "timeout client " + format_duration(client->value) +
                       ": a client that says nothing holds its connection so long",
                   fix};
}

Verdict timeout_server(const Subject& subject) {
  const auto server = subject.proxy->settings.timeout("server");
  const std::string fix =
      "timeout server 30s: it counts until the upgrade only, timeout tunnel after it";
  if (!server) {
    return Complaint{subject.proxy->line,
                     "no timeout server: a gateway that takes a client and never answers holds it "
                     "for ever",
                     fix};
  }
  if (server->value > kIdleMax) {
    return Complaint{server->line->number,
                     "timeout server " + format_duration(server->value) +
                         ": a gateway that takes a client and never answers holds it so long",
                     fix};
  }
  if (server->value < kServerMin) {
    return Complaint{
        server->line->number,
        "timeout server " + format_duration(server->value) +
            ": a gateway that accepts nothing for three seconds (restart, stall) makes "
            "504 of what 30s would have let through",
        fix};
  }
  return std::nullopt;
}

Verdict timeout_connect(const Subject& subject) {
  const auto connect = subject.proxy->settings.timeout("connect");
  const std::string fix = "timeout connect 1s";
  if (!connect) {
    return Complaint{
        subject.proxy->line,
        "no timeout connect: a gateway whose host drops packets holds its share of the "
        "clients until the system gives up",
        fix};
  }
  if (connect->value > kConnectMax) {
    return Complaint{connect->line->number,
                     "timeout connect " + format_duration(connect->value) +
                         ": a gateway whose host drops packets holds its share of the clients so "
                         "long at each try",
                     fix};
  }
  if (connect->value < kRetryPause && !subject.proxy->settings.option("redispatch")) {
    return Complaint{connect->line->number,
                     "timeout connect " + format_duration(connect->value) +
                         " is also the pause before a retry: a restart of one second uses all of "
                         "them up (8 of 20 clients got 503)",
                     fix};
  }
  return std::nullopt;
}

Verdict timeout_http_request(const Subject& subject) {
  if (!subject.proxy->http()) return std::nullopt;
  const auto head = subject.proxy->settings.timeout("http-request");
  if (head && head->value <= kHeadMax) return std::nullopt;
  const std::string fix = "timeout http-request 5s";
  if (head) {
    return Complaint{head->line->number,
                     "timeout http-request " + format_duration(head->value) +
                         ": a client may take so long over its request head, and holds a "
                         "connection of maxconn meanwhile",
                     fix};
  }
  return Complaint{subject.proxy->line,
                   "no timeout http-request: a client that sends its request head byte by byte "
                   "holds a connection as long as it likes (with 5s it gets 408)",
                   fix};
}

Verdict timeout_queue(const Subject& subject) {
  // Without a bound per server nobody queues.
  const auto bounded = servers_where(*subject.proxy, [](const Server& server) {
    const ServerParameter* maxconn = server.find("maxconn");
    return maxconn != nullptr && maxconn->value != "0";
  });
  if (bounded.empty()) return std::nullopt;
  const Settings& settings = subject.proxy->settings;
  const auto queue = settings.timeout("queue");
  const auto wait = queue ? queue : settings.timeout("connect");
  if (!wait || wait->value <= kQueueMax) return std::nullopt;
  return Complaint{queue ? queue->line->number : subject.proxy->line,
                   (queue ? "timeout queue " : "no timeout queue, so timeout connect counts, ") +
                       format_duration(wait->value) +
                       ": when the gateways are full a client hangs so long before it gets 503",
                   "timeout queue 1s"};
}

Verdict timeout_server_fin(const Subject& subject) {
  if (subject.proxy->settings.timeout("server-fin")) return std::nullopt;
  const auto tunnel = subject.proxy->settings.timeout("tunnel");
  return Complaint{subject.proxy->line,
                   "no timeout server-fin: a client has ended and the gateway does not react: the "
                   "session stays " +
                       (tunnel ? "for timeout tunnel, " + format_duration(tunnel->value)
                               : std::string("as long as an idle one")) +
                       " (timeout client-fin changes nothing there)",
                   "timeout server-fin 10s"};
}

}  // namespace sluice::ctl
