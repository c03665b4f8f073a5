// The daemons under test as objects: started until ready, their real addresses read from their
// logs, restarted on the same ones.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/process/support/http.h"
#include "tests/process/support/metrics.h"
#include "tests/process/support/process.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::test {

[[nodiscard]] std::string relay_program();
[[nodiscard]] std::string gateway_program();
[[nodiscard]] std::string tool_program();
[[nodiscard]] std::string keeper_program();

using Args = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

class Relay {
 public:
  /// Listens in `directory`; `args` are added to the command line. Ready when the constructor
  /// returns. `program`: another name for it, which the test may give to other files later.
  explicit Relay(const TempDir& directory, Args args = {}, Environment environment = {},
                 std::string program = relay_program());

  void start();
  void kill() { process_->kill(); }
  [[nodiscard]] std::string address() const { return "unix:" + socket_; }
  [[nodiscard]] const std::string& socket_path() const { return socket_; }
  [[nodiscard]] const Endpoint& admin() const { return admin_; }
  [[nodiscard]] Metrics metrics() const { return Metrics::scrape(admin_); }
  Process& process() { return *process_; }

 private:
  std::string socket_;
  Args args_;
  Environment environment_;
  std::string program_;
  Endpoint admin_;
  std::unique_ptr<Process> process_;
};

struct GatewaySettings {
  std::string id = "1111";
  std::string relay;  ///< "unix:PATH"
  std::string listen = "127.0.0.1:0";
  Args args;
  std::map<int, int> fds;
  std::map<std::string, std::string> env;
  bool wait_ready = true;  ///< until /readyz says 200
};

class Gateway {
 public:
  explicit Gateway(GatewaySettings settings);

  /// Again on the ports that it had.
  void start();
  void kill() { process_->kill(); }
  [[nodiscard]] const std::string& id() const { return settings_.id; }
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  [[nodiscard]] const Endpoint& admin() const { return admin_; }
  /// Where it answers agent checks.
  [[nodiscard]] const Endpoint& agent() const { return agent_; }
  [[nodiscard]] Metrics metrics() const { return Metrics::scrape(admin_); }
  [[nodiscard]] HttpResponse readyz() const { return http_get(admin_, "/readyz"); }
  /// Says "ready", no "but".
  [[nodiscard]] bool is_ready() const { return readyz().body.rfind("ready", 0) == 0; }
  /// The relay has confirmed its subscription: from now on what is published comes.
  void wait_subscribed(const std::string& channel = "livechat") const {
    process_->wait_line("subscribed to " + channel + "$");
  }
  /// Waits until /readyz answers so.
  void wait_ready(int status = 200, Millis wait = 10s) const;
  Process& process() { return *process_; }

 private:
  GatewaySettings settings_;
  Endpoint endpoint_;
  Endpoint admin_;
  Endpoint agent_;
  std::unique_ptr<Process> process_;
};

/// Relay and gateways 1111, 2222, … in one directory. Their pings are rare unless `gateway_args`
/// has its own interval: a test that waits for something else reads no pings.
class Stack {
 public:
  struct Settings {
    std::size_t gateways = 1;
    Args relay_args;  ///< broker and the like; memory: unless said
    Args gateway_args;
    std::string relay_program;  ///< empty: the built one
  };
  Stack() : Stack(Settings{}) {}
  explicit Stack(Settings settings);

  const TempDir& directory() const { return directory_; }
  Relay& relay() { return *relay_; }
  Gateway& gateway(std::size_t index = 0) { return *gateways_[index]; }
  [[nodiscard]] std::size_t size() const { return gateways_.size(); }
  static std::string id_of(std::size_t index) {
    return std::string(4, static_cast<char>('1' + index));
  }

 private:
  TempDir directory_;
  std::unique_ptr<Relay> relay_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
};

}  // namespace sluice::test
