// A gateway without clients in the simulator: it speaks the relay link itself, to ask what Hub and
// RelayLink do not yet have to. What it checks is PROTOCOL.md's section on history, recovery and
// presence:
//
//  - an answer's items follow one another and are what was published there;
//  - recovered is all behind the position asked for, or nothing;
//  - the answer's top is not below what the link has carried;
//  - every request is answered once, or dies with its link;
//  - who it said is there, is there in the end.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "proto/decoder.h"
#include "proto/encoder.h"
#include "relay/gateway_session.h"

namespace sluice::sim {

class World;

class Prober final : public relay::SessionHost {
 public:
  explicit Prober(World& world);

  /// One small step: bytes move, now and then something is asked.
  void step(bool asks);
  void break_pipe();
  /// As SimGateway.
  void save_link();
  void restore_link();
  /// Ends for good, its clients with it.
  void stop();
  [[nodiscard]] std::size_t unanswered() const { return asked_.size(); }
  /// "channel/client" of those that it says are there.
  [[nodiscard]] const std::set<std::string>& present() const { return present_; }
  [[nodiscard]] std::uint64_t recovered() const { return recovered_; }
  [[nodiscard]] std::uint64_t unrecovered() const { return unrecovered_; }

  // SessionHost.
  void wake() override {}

 private:
  struct Channel {
    std::string name;
    std::uint32_t id = 0;
    bool history = false;
    proto::Position position;
    std::map<std::uint64_t, std::string> seen;  ///< of position.epoch
  };
  struct Asked {
    std::string channel;
    proto::Position since;
    std::uint64_t last = 0;  ///< offset of the last item
    std::uint64_t items = 0;
  };

  void connect();
  void ask_something();
  void change_presence();
  void move_up();
  void move_down();
  void handle(const proto::FrameView& frame);
  void on_subscribed(const proto::Subscribed& told);
  void on_item(const proto::HistoryItem& item);
  void on_end(const proto::HistoryEnd& end);
  [[nodiscard]] Channel* by_id(std::uint32_t id);
  [[nodiscard]] std::string any_channel();

  World& world_;
  std::unique_ptr<relay::GatewaySession> session_;
  relay::OutputBatch batch_;
  std::string saved_link_;
  proto::Decoder decoder_;
  std::string to_relay_;
  std::map<std::string, Channel> channels_;
  std::map<std::uint64_t, Asked> asked_;
  std::set<std::uint64_t> asked_presence_;
  std::uint64_t answering_ = 0;  ///< the request whose items come
  bool cut_ = false;  ///< by an upgrade: an answer may end as an ERROR, behind other frames
  std::set<std::string> present_;
  std::uint64_t next_request_ = 1;
  std::uint64_t recovered_ = 0;
  std::uint64_t unrecovered_ = 0;
  bool stopped_ = false;
};

}  // namespace sluice::sim
