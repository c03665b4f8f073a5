// haproxy with a file that the test writes itself: started, reloaded and killed as an operator
// would, looked at through its stats socket.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tests/process/support/process.h"
#include "tests/process/support/socket.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::test {

class OwnHaproxy {
 public:
  /// What differs between tests; the rest is as in the shipped files.
  struct Settings {
    std::string name = "haproxy";  ///< of its files: two of them may share a directory
    std::string level = "admin";   ///< of the stats socket
    std::string backend = "balance leastconn";
    std::string servers{};      ///< `server` lines
    std::string check = "1s";   ///< inter of those
    bool stats_on_tcp = false;  ///< instead of a Unix socket
    bool send_state = true;     ///< checks say who they are
    bool disable_on_404 = true;
  };
  OwnHaproxy(const TempDir& directory, Settings settings);

  /// Returns once its stats socket answers.
  void start();
  void kill() { process_->kill(); }
  /// SIGUSR2 to the master; returns once a new worker answers. The old one keeps its sessions.
  void reload();
  /// What the next start or reload reads.
  void change(const Settings& settings);

  /// "unix:PATH" or "ADDR:PORT", for --haproxy-socket.
  [[nodiscard]] std::string stats_address() const;
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  /// The answer to a command, line ends at its end cut off.
  [[nodiscard]] std::string command(const std::string& words) const;
  /// Columns of `show servers state gateways` by their names; nothing: no such server.
  [[nodiscard]] std::optional<std::map<std::string, std::string>> server(
      const std::string& name) const;
  [[nodiscard]] bool has(const std::string& name) const { return server(name).has_value(); }
  /// A column of `show stat`, "" when there is no such server.
  [[nodiscard]] std::string stat(const std::string& name, const std::string& column) const;
  /// Until the server's status in `show stat` begins so.
  void wait_status(const std::string& name, const std::string& status, Millis wait = 15s) const;
  /// Process id of the worker that answers.
  [[nodiscard]] int worker() const;
  Process& process() { return *process_; }

 private:
  void write_file();
  [[nodiscard]] bool answers(int other_than) const;

  const TempDir& directory_;
  Settings settings_;
  std::string file_;
  Endpoint endpoint_;
  Endpoint stats_;
  std::unique_ptr<Process> process_;
};

}  // namespace sluice::test
