// The demo page's protocol (--demo, path /demo and /demo/channel/NAME). Gateway to client: one JSON
// object per text frame, told apart by "type". Client to gateway: what it sends is published as it
// is, so that plain clients of the channel can read it.
//
// - welcome: gateway, version, draining, channel, connection (as in the gateway's log); comes first
// - message: epoch (hexadecimal), offset, bytes, text (left out when it is no UTF-8)
// - gap: cause, count (null: nobody knows), duration_ms, epoch, offset
// - publish_failed: reason; "unknown fate": it may have been published all the same; "not allowed",
//   "too large" and "too many" are the rules' words
#pragma once

#include <functional>
#include <string>

#include "common/rules/rules.h"
#include "gateway/protocols/client_protocol.h"

namespace sluice::gateway {

/// A longer text is cut; "bytes" tells its whole size. Escaped it has six times as many at most.
inline constexpr std::size_t kDemoTextBytesMax = 4096;

struct DemoOptions {
  std::string gateway_id;
  std::string version;
  std::function<bool()> draining;
  const RulesStore* rules = nullptr;  ///< null: no rules, anything is allowed
  const TimeSource* time = nullptr;   ///< compulsory with rules
};

class DemoProtocol final : public ClientProtocol {
 public:
  explicit DemoProtocol(DemoOptions options);

  [[nodiscard]] std::string_view name() const override { return "demo"; }
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

 private:
  /// What the rules have against it; null: nothing.
  [[nodiscard]] const char* objection(ClientSession& session, std::string_view channel,
                                      std::size_t bytes) const;

  DemoOptions options_;
};

}  // namespace sluice::gateway
