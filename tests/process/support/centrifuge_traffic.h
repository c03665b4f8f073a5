// Clients of the Centrifuge protocol in both encodings, real SDKs among them, on one shared channel
// and one of many others each, while numbered publications come on all of these; every stream is
// checked to its last publication.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/process/support/centrifuge_client.h"
#include "tests/process/support/sdk_driver.h"

namespace sluice::test {

class CentrifugeTraffic {
 public:
  struct Settings {
    Endpoint to;        ///< the clients'
    Endpoint speak_at;  ///< a gateway that stays: who publishes is there
    std::size_t clients = 20;
    std::size_t sdks = 0;  ///< every other one Protobuf
    std::string shared = "shared";
    std::vector<std::string> others;     ///< client i has the i-th, and so on from the first
    Millis shared_every = Millis(100);   ///< 10 a second
    Millis others_every = Millis(1000);  ///< 1 a second on each
    std::size_t fill = 0;                ///< bytes more in each publication
    CentrifugeSubscribe subscribe{};
    std::function<std::string(std::size_t client)> token{};
  };
  /// All are connected and subscribed when this returns; nothing has been published yet.
  explicit CentrifugeTraffic(Settings settings);

  /// Publishes and serves until it holds.
  [[nodiscard]] bool run_until(Millis wait, const std::function<bool()>& holds);
  void run_for(Millis span);
  /// Goes on in a thread of its own until `what`, which leaves the clients alone, has ended.
  void meanwhile(const std::function<void()>& what);
  /// So many more publications of the shared channel have come to each client.
  [[nodiscard]] ::testing::AssertionResult goes_on(std::uint64_t publications = 10);
  /// One last publication on each channel, then nothing more; all that was sent has come to each
  /// client of its channel: once, in order.
  [[nodiscard]] ::testing::AssertionResult exact(Millis wait = Millis(30'000));
  /// The same, where not all that was sent has been published: what has a position has come once,
  /// in order, and nothing of it is missing.
  [[nodiscard]] ::testing::AssertionResult complete(Millis wait = Millis(30'000));
  /// No client has seen an end, of its connection or of a subscription.
  [[nodiscard]] ::testing::AssertionResult unnoticed();
  /// Everybody but who publishes is connected and subscribed.
  [[nodiscard]] bool all_there();

  [[nodiscard]] std::uint64_t sent() const;
  /// Connections made by clients after their first.
  [[nodiscard]] std::uint64_t reconnects();
  /// Events of SDKs that tell of an end: "connecting" and "subscribing" with a code,
  /// "disconnected", "unsubscribed", "error".
  [[nodiscard]] std::vector<SdkDriver::Json> endings();
  [[nodiscard]] CentrifugeFleet& fleet() { return fleet_; }
  [[nodiscard]] SdkDriver& driver() { return *driver_; }
  /// The clients' indices in the fleet; who publishes comes behind them.
  [[nodiscard]] std::size_t clients() const { return settings_.clients; }
  [[nodiscard]] std::string describe();

 private:
  struct Channel {
    std::string name;
    std::size_t speaker = 0;
    Millis every{};
    SteadyClock::time_point due{};
    std::uint64_t sent = 0;
  };
  void add_clients();
  void add_sdks();
  void speak();
  void serve();
  [[nodiscard]] const std::string& other_of(std::size_t client) const {
    return settings_.others[client % settings_.others.size()];
  }
  void say(Channel& channel);
  /// What SDKs say of themselves, without waiting for it: nothing yet, or what has been asked for
  /// since ask_anew().
  [[nodiscard]] const SdkDriver::Json* sdk_stats();
  void ask_anew();
  [[nodiscard]] ::testing::AssertionResult finish(Millis wait, bool all_published);
  [[nodiscard]] bool fleet_has_all() const;
  [[nodiscard]] bool sdks_have_all();

  Settings settings_;
  CentrifugeFleet fleet_;
  std::unique_ptr<SdkDriver> driver_;
  std::vector<Channel> channels_;  ///< the shared one first
  bool silent_ = true;
  int stats_asked_ = 0;  ///< 0: not
  SdkDriver::Json stats_;
  SteadyClock::time_point looked_{};
};

}  // namespace sluice::test
