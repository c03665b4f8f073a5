// A relay, a keeper and gateways of one id, one after the other, as a supervisor would have them;
// and a second gateway beside them that stays, for who is to hear and to speak meanwhile.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/process/support/daemons.h"

namespace sluice::test {

class HandoffStage {
 public:
  struct Settings {
    Args gateway_args{};
    std::string listen = "127.0.0.1:0";
    std::string program = gateway_program();
    std::string relay{};  ///< another way to it; empty: directly
    bool keeper = true;   ///< started first; else start_keeper() does
    Args relay_args{};
    Args beside_args{};
  };
  HandoffStage() : HandoffStage(Settings{}) {}
  /// No gateway runs yet, only the one beside.
  explicit HandoffStage(Settings settings);

  /// Of the gateways that are started from now on.
  Settings& settings() { return settings_; }
  Process& start_keeper();
  Process& keeper() { return *keepers_.back(); }
  /// Starts a gateway; whatever becomes of it. `more`: behind the flags of the settings.
  Process& spawn(Environment environment = {}, const Args& more = {});
  /// The same, until it serves.
  Process& start(Environment environment = {}, const Args& more = {});
  /// Until the youngest gateway serves.
  void wait_serving();
  /// The youngest one.
  Process& gateway() { return *gateways_.back(); }
  /// SIGUSR2, its end, the next one.
  Process& restart();

  /// As the youngest gateway says it.
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  [[nodiscard]] const Endpoint& admin() const { return admin_; }
  [[nodiscard]] Metrics metrics() const { return Metrics::scrape(admin_); }
  [[nodiscard]] std::size_t clients() const;
  /// All that the keeper has, its own included.
  [[nodiscard]] std::size_t keeper_sockets() const;
  Gateway& beside() { return *beside_; }
  Relay& relay() { return *relay_; }
  const TempDir& directory() const { return directory_; }
  [[nodiscard]] std::string keeper_path() const { return directory_.file("keeper.sock"); }

 private:
  TempDir directory_;
  Settings settings_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Gateway> beside_;
  std::vector<std::unique_ptr<Process>> keepers_;
  std::vector<std::unique_ptr<Process>> gateways_;
  Endpoint endpoint_;
  Endpoint admin_;
};

/// Sockets among the descriptors of a process.
[[nodiscard]] std::size_t sockets_of(const Process& process);

}  // namespace sluice::test
