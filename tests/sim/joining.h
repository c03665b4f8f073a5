// Clients that come back: they join a channel from the position that they have, on whatever
// gateway, and check that all since then is theirs, or that they were told it is not. The protocol
// in which they are told, and what such a client knows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/protocols/client_protocol.h"
#include "tests/sim/fake_broker.h"

namespace sluice::sim {

/// What a process that takes over must know of such a client beside its subscription.
struct JoinState final : gateway::ProtocolState {
  bool waiting = false;  ///< a join is unanswered
  std::string channel;
  std::optional<proto::Position> since;
  bool leaves_at_gaps = false;
};

/// Frames are texts: "joined:EPOCH/OFFSET:COUNT", or "began:EPOCH/OFFSET" without what was missed;
/// "m:EPOCH/OFFSET:PAYLOAD"; "gap:EPOCH/OFFSET:COUNT"; "left:"; "failed:".
class JoiningProtocol final : public gateway::ClientProtocol {
 public:
  [[nodiscard]] std::string_view name() const override { return "joining"; }
  [[nodiscard]] gateway::EncodedMessage encode(const gateway::ChannelMessage& message,
                                               std::string& scratch) const override;
  void opened(gateway::ClientSession& session, const gateway::UpgradeRequest& request,
              gateway::ProtocolActions& actions) const override;
  void received(gateway::ClientSession& session, proto::Bytes payload, bool text,
                gateway::ProtocolActions& actions) const override;
  void due(gateway::ClientSession&, gateway::ProtocolActions&) const override {}
  void publish_failed(gateway::ClientSession&, const gateway::PublishFailure&,
                      gateway::ProtocolActions&) const override {}
  void gap(gateway::ClientSession& session, const gateway::ChannelGap& gap,
           gateway::ProtocolActions& actions) const override;
  void joined(gateway::ClientSession& session, gateway::Ticket ticket,
              const gateway::Joined& joined, gateway::ProtocolActions& actions) const override;
  void request_failed(gateway::ClientSession& session, gateway::Ticket ticket,
                      proto::ErrorReason reason, gateway::ProtocolActions& actions) const override;
  void save(const gateway::ClientSession& session, std::string& record) const override;
  [[nodiscard]] bool restore(gateway::ClientSession& session, proto::Bytes record) const override;
  void resumed(gateway::ClientSession& session, gateway::ProtocolActions& actions) const override;
};

/// What was published where, for all clients: in one epoch offsets and the broker's order go side
/// by side.
struct Ledger {
  const FakeBroker& broker;
  const std::map<std::string, std::vector<std::string>>& log;
  /// Channel and epoch → index in the log less offset.
  std::map<std::pair<std::string, std::uint64_t>, std::int64_t> base{};
};

class JoiningClient {
 public:
  JoiningClient(std::string channel, bool leaves_at_gaps)
      : channel_(std::move(channel)), leaves_at_gaps_(leaves_at_gaps) {}

  /// What it sends. It has not joined, and has not asked to.
  [[nodiscard]] std::string join_command();
  [[nodiscard]] std::string leave_command() const { return "leave " + channel_; }
  /// A frame has come from this gateway. Empty: it is as it must be.
  [[nodiscard]] std::string got(std::string_view frame, const std::string& gateway, Ledger& ledger);
  void disconnected() { asked_ = subscribed_ = false; }
  /// Empty: it has the channel's last message, or was told.
  [[nodiscard]] std::string last_words(const Ledger& ledger) const;

  [[nodiscard]] bool idle() const { return !asked_ && !subscribed_; }
  [[nodiscard]] bool subscribed() const { return subscribed_; }
  [[nodiscard]] const std::string& channel() const { return channel_; }

 private:
  [[nodiscard]] std::string joined(std::string_view rest);
  [[nodiscard]] std::string began(std::string_view rest, const Ledger& ledger);
  [[nodiscard]] std::string message(std::string_view rest, const std::string& gateway,
                                    Ledger& ledger);
  [[nodiscard]] std::string beside(std::uint64_t number, const std::string& gateway);
  /// What it has heard beside the history stood in front of this.
  void move_to(proto::Position position);
  [[nodiscard]] std::string told(std::string_view rest);

  std::string channel_;
  bool leaves_at_gaps_;
  bool asked_ = false;
  bool subscribed_ = false;
  std::optional<proto::Position> position_;
  std::size_t last_index_ = 0;  ///< in the broker's log, 1-based; 0: not known
  std::uint64_t missing_ = 0;   ///< told since the last message
  bool missing_unknown_ = false;
  /// Beside the history, the last one at each gateway: there none comes twice. At one that has read
  /// less of the relay those may that stand at the very position from which it joins: nothing else
  /// says how far it was.
  std::map<std::string, std::uint64_t> last_beside_;
  std::uint64_t heard_beside_ = 0;    ///< the last one at all, since it began
  std::uint64_t settled_beside_ = 0;  ///< the last one in front of its position
};

}  // namespace sluice::sim
