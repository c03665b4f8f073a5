// W5's receivers: gateways' links to a relay, spoken by hand. Each subscribes to the one channel
// and has every message judged; nothing goes on to clients.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/fanout/load.h"
#include "proto/decoder.h"
#include "tests/process/support/socket.h"

namespace sluice::fanout {

class Links : public Receivers {
 public:
  Links(Load& load, const test::Endpoint& relay, std::string channel, std::size_t count);

  /// All have their subscription. False: not by the deadline.
  [[nodiscard]] bool subscribe_all(std::uint64_t deadline_ns);

  void on_event(std::uint64_t index, std::uint32_t events) override;
  [[nodiscard]] bool any() const override;
  [[nodiscard]] std::size_t behind() const override;
  void give_up() override;

 private:
  struct Link {
    UniqueFd fd;
    proto::Decoder decoder{};
    Place place{};
    std::uint64_t sequence = 0;  ///< of the link itself
    bool open = true;
  };

  void take(Link& link, std::uint64_t index, const proto::FrameView& frame);
  void send(Link& link, const std::string& bytes);
  void end(Link& link);

  Load& load_;
  Verifier& verifier_;
  std::string channel_;
  std::vector<std::unique_ptr<Link>> links_;
  std::size_t subscribed_ = 0;
  std::uint64_t read_at_ns_ = 0;
};

}  // namespace sluice::fanout
