// The article's protocol: what a client sends is published to its channel, what the channel carries
// is what it gets.
#pragma once

#include <string>

#include "common/rules/rules.h"
#include "gateway/protocols/client_protocol.h"

namespace sluice::gateway {

enum class OnGap { kIgnore, kClose };

struct PlainOptions {
  std::string tag{};       ///< put before each channel message ("1111:"); empty: none
  std::string greeting{};  ///< sent once after greeting_delay; empty: none
  Duration greeting_delay{};
  OnGap on_gap = OnGap::kIgnore;
  const RulesStore* rules = nullptr;  ///< null: no rules, anything is allowed
};

class PlainProtocol final : public ClientProtocol {
 public:
  PlainProtocol(PlainOptions options, const TimeSource& time);

  [[nodiscard]] std::string_view name() const override { return "plain"; }
  [[nodiscard]] EncodedMessage encode(const ChannelMessage& message,
                                      std::string& scratch) const override;
  void opened(ClientSession& session, const UpgradeRequest& request,
              ProtocolActions& actions) const override;
  void received(ClientSession& session, proto::Bytes payload, bool text,
                ProtocolActions& actions) const override;
  void due(ClientSession& session, ProtocolActions& actions) const override;
  void publish_failed(ClientSession& session, const PublishFailure& failure,
                      ProtocolActions& actions) const override;
  void gap(ClientSession& session, const ChannelGap& gap, ProtocolActions& actions) const override;

  /// Sent, ever.
  [[nodiscard]] std::uint64_t greetings() const { return greetings_; }

 private:
  /// False: the rules say no, and the client is being closed.
  [[nodiscard]] bool may_publish(ClientSession& session, std::string_view channel,
                                 std::size_t bytes, ProtocolActions& actions) const;

  PlainOptions options_;
  FrameRef greeting_;
  mutable std::uint64_t greetings_ = 0;
  const TimeSource& time_;
};

}  // namespace sluice::gateway
