// The WebSocket clients of a run: connecting, upgrading, reading, answering pings, leaving. Made to
// be much cheaper than any server: one buffer for all, frames judged where they lie, no allocation
// per delivery.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/fanout/dialect.h"
#include "bench/fanout/load.h"
#include "bench/fanout/server.h"

namespace sluice::fanout {

class Crowd : public Receivers {
 public:
  /// Client i is on channel i modulo the channels, unless channel_of says otherwise.
  Crowd(Load& load, const ServerPlan& server, const std::vector<std::string>& channels,
        std::size_t clients);
  ~Crowd() override;

  /// Dials client `index`, which must be gone.
  void dial(std::size_t index);
  /// Sends a close frame; the client is gone once the server has answered or ended.
  void close(std::size_t index);
  /// Everybody, `in_flight` handshakes at a time; who is refused tries again twice. False: not all
  /// by the deadline.
  [[nodiscard]] bool connect_all(std::uint64_t deadline_ns, std::size_t in_flight);

  /// To be set before anybody dials.
  std::function<std::size_t(std::size_t index)> channel_of;
  /// Called when a client is gone, by itself or by close(); `upgraded`: it had its 101.
  std::function<void(std::size_t index, bool upgraded)> on_gone;
  /// Called when a client's subscription stands.
  std::function<void(std::size_t index)> on_ready;

  [[nodiscard]] std::size_t ready() const { return ready_; }
  [[nodiscard]] bool is_ready(std::size_t index) const {
    return clients_[index].state == State::kReady;
  }
  [[nodiscard]] std::uint64_t pings() const { return pings_; }

  void on_event(std::uint64_t index, std::uint32_t events) override;
  [[nodiscard]] bool any() const override { return ready_ > 0; }
  [[nodiscard]] std::size_t behind() const override;
  void give_up() override;

 private:
  enum class State : std::uint8_t { kGone, kConnecting, kUpgrading, kGreeting, kReady, kClosing };
  struct Client {
    int fd = -1;
    State state = State::kGone;
    Place place{};
    std::unique_ptr<std::string> partial;  ///< of a frame or head that has not come whole
  };

  void send_request(std::size_t index);
  void watch(std::size_t index, std::uint32_t events);
  std::size_t read(std::size_t index);
  /// What is left behind the head; false: still waiting, or refused.
  bool take_head(std::size_t index, std::string_view& bytes);
  void begin(std::size_t index);
  void take_frames(std::size_t index, std::string_view bytes);
  bool take_frame(std::size_t index, std::uint8_t opcode, std::string_view payload);
  bool take_data(std::size_t index, std::uint8_t opcode, std::string_view payload);
  void send(std::size_t index, std::string_view bytes);
  void end(std::size_t index);

  Load& load_;
  Verifier& verifier_;
  Dialect& dialect_;
  const bool plain_;
  const std::vector<std::string>& channels_;
  std::uint16_t port_;
  std::vector<std::string> requests_;  ///< per channel
  std::vector<Client> clients_;
  std::vector<char> buffer_;
  std::string scratch_;
  std::size_t ready_ = 0;
  std::size_t dialing_ = 0;
  std::uint64_t read_at_ns_ = 0;
  std::uint64_t pings_ = 0;
  std::uint64_t greeted_ = 0;  ///< numbers clients for the dialect
};

}  // namespace sluice::fanout
