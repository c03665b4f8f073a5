// The clients of a soak: who comes, what they do, who leaves, all drawn from the seed; and what
// they must find when everything is well again.
#pragma once

#include <functional>
#include <optional>
#include <random>

#include "tests/soak/client.h"
#include "tests/soak/witness.h"

namespace sluice::soak {

inline constexpr std::size_t kChannels = 5;

struct FleetCounts {
  std::uint64_t came = 0;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t published_directly = 0;
  std::uint64_t holes = 0;    ///< each told
  std::uint64_t missing = 0;  ///< messages in them
  std::uint64_t closed = 0;   ///< for a told reason
  std::uint64_t unknown_fate = 0;
};

class Fleet final : public test::SwarmObserver {
 public:
  Fleet(Stage& stage, Ledger& ledger, std::uint64_t seed, std::size_t clients_wanted);

  /// Clients of this gateway go to `to` instead.
  void redirect(std::size_t gateway, const test::Endpoint& to) { detours_[gateway] = to; }

  /// One step of the storm: some come, some leave, some send, some stop reading.
  void stir();
  /// Everybody reads again; nobody comes.
  void calm();
  /// Serves sockets for at most so long, then compares what came with the ledger.
  void serve(int wait_ms);
  void burst(std::size_t channel);
  /// Publishes one message on each channel; from here on it counts who has heard one of these.
  void begin_markers();
  void send_markers();
  /// Who has heard no marker yet, or waits for something else that must come; empty when nobody.
  [[nodiscard]] std::string waiting();
  /// What was sent, is neither heard nor carried, counts as lost at its gateway's life.
  void count_lost_publishes();
  /// Judges all, forgets who has ended. The log must have been harvested.
  void judge();
  /// All leave, every other one without a word.
  void dismiss();

  [[nodiscard]] std::size_t open_at(std::size_t gateway) const;
  [[nodiscard]] std::size_t present() const;
  [[nodiscard]] const FleetCounts& counts() const { return counts_; }

  void message(std::size_t index, const std::string& text) override;
  void ended(std::size_t index) override;

 private:
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  [[nodiscard]] std::optional<std::size_t> someone();
  void welcome();
  void leave(std::size_t index);
  void pause_for_a_while(std::size_t index);
  void publish(std::size_t index);
  void publish_directly(std::size_t channel, std::size_t fill);
  void misbehave(std::size_t index);
  void wake_up_paused();

  Stage& stage_;
  Ledger& ledger_;
  std::mt19937_64 random_;
  std::size_t wanted_;
  test::WsSwarm swarm_;
  std::vector<std::unique_ptr<Client>> clients_;  ///< by index in the swarm; null: none
  std::map<std::size_t, test::Endpoint> detours_;
  std::unique_ptr<test::RespClient> publisher_;
  std::uint32_t next_sender_ = kFirstClientSender;
  std::array<std::uint32_t, kChannels> direct_numbers_{};
  std::array<std::uint32_t, kChannels> marker_numbers_{};
  FleetCounts counts_;
};

}  // namespace sluice::soak
