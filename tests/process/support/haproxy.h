// The shipped HAProxy files, unchanged, in front of gateways of a test: addresses come through the
// environment.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "tests/process/support/daemons.h"

namespace sluice::test {

/// Where a gateway is that stands behind the balancer.
struct GatewayAddresses {
  std::string id;
  Endpoint endpoint;
  Endpoint admin;
  Endpoint agent;
};

class Haproxy {
 public:
  /// Fronts exactly four gateways, the files' number; none for haproxy-dynamic.cfg. `file` is a
  /// name in haproxy/, `environment` adds to what every file gets, `more` goes behind the file on
  /// the command line. Returns once a client would be let in.
  Haproxy(const TempDir& directory, const std::vector<Gateway*>& gateways,
          const std::string& file = "haproxy.cfg", const Environment& environment = {},
          const Args& more = {});
  Haproxy(const TempDir& directory, const std::vector<GatewayAddresses>& gateways,
          const std::string& file, const Environment& environment, const Args& more);

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  /// A command on the statistics socket.
  std::string command(const std::string& words) const;
  /// One column of `show stat` for a server, such as status or scur.
  std::string stat(const std::string& server, const std::string& column) const;
  /// `show stat`: row by svname (servers, "FRONTEND", "BACKEND"), value by column.
  [[nodiscard]] std::map<std::string, std::map<std::string, std::string>> stats() const;
  /// Processes that serve clients: the present worker, and old ones after a reload.
  [[nodiscard]] static std::vector<pid_t> workers_of(pid_t master);
  /// "2.6.12-1+deb12u4".
  [[nodiscard]] std::string version() const;
  /// Names of the servers that `show stat` has, in the file's order.
  [[nodiscard]] std::vector<std::string> servers() const;
  /// Waits until the server's status begins so ("UP", "DOWN", "NOLB").
  void wait_status(const std::string& server, const std::string& status, Millis wait = 15s) const;
  Process& process() { return *process_; }

 private:
  [[nodiscard]] std::vector<std::vector<std::string>> table() const;
  void wait_up(bool plain);

  Endpoint endpoint_;
  std::string socket_;
  std::unique_ptr<Process> process_;
};

/// Flags that a gateway needs behind the balancer.
[[nodiscard]] Args behind_balancer();
/// For tests that count who got how many: the agent check says no weight, so that neither the ramp
/// nor this machine's load is in it.
[[nodiscard]] Args evenly_weighted();

}  // namespace sluice::test
