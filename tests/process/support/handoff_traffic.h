// Clients of a gateway that comes and goes, with traffic in both directions all the while, each
// stream checked to the last message.
#pragma once

#include <gtest/gtest.h>

#include "tests/process/support/handoff_stage.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {

class HandoffTraffic {
 public:
  /// Its clients on two channels, and some that speak on a third; the stage's gateway serves.
  explicit HandoffTraffic(HandoffStage& stage, const Endpoint& to);
  explicit HandoffTraffic(HandoffStage& stage) : HandoffTraffic(stage, stage.endpoint()) {}

  /// Until it holds.
  [[nodiscard]] bool run_until(const std::function<bool()>& holds, Millis wait = 20s);
  /// One of the clients reads nothing for a while.
  void slow(bool on) { down_.pause(2 * kListeners - 1, on); }
  /// The slow one does not read until a frame of it is half sent and others wait behind it.
  [[nodiscard]] ::testing::AssertionResult has_waiting(const HandoffStage& stage);
  /// So many more messages have come to each client that is open.
  [[nodiscard]] ::testing::AssertionResult goes_on(std::uint64_t messages = 50);
  /// Nobody speaks any more, and all that was said has come: to every open client what its channel
  /// had, in order, each once. Of what clients of this gateway said, at most `lost_up` have not
  /// come.
  [[nodiscard]] ::testing::AssertionResult exact(std::uint64_t lost_up = 0);

  [[nodiscard]] static std::size_t clients() { return 2 * kListeners + kSpeakers; }
  /// Of the gateway's clients; how they ended is theirs to tell.
  [[nodiscard]] std::size_t closed() const;
  [[nodiscard]] std::string endings() const;
  [[nodiscard]] WsSwarm& down() { return down_; }
  [[nodiscard]] WsSwarm& up() { return up_; }
  /// Everybody leaves.
  void leave();

  static constexpr std::size_t kListeners = 3;  ///< on each of two channels
  static constexpr std::size_t kSpeakers = 3;

 private:
  void serve();
  void speak();
  [[nodiscard]] std::uint64_t lowest() const;
  [[nodiscard]] bool all_came() const;

  // down_: listeners of "a", of "b", then one who speaks beside on each. up_: speakers, then one
  // who listens beside.
  WsSwarm down_;
  WsSwarm up_;
  SteadyClock::time_point next_ = SteadyClock::now();
  std::uint64_t turns_ = 0;
};

}  // namespace sluice::test
