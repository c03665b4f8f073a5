// The Centrifuge client protocol, version 2: one of these per encoding. What a command means stands
// in centrifuge_client; this is the door.
#pragma once

#include "gateway/protocols/centrifuge_codec.h"
#include "gateway/protocols/centrifuge_service.h"

namespace sluice::gateway {

class CentrifugeProtocol final : public ClientProtocol {
 public:
  /// Both outlive it.
  CentrifugeProtocol(const CentrifugeCodec& codec, CentrifugeService& service)
      : codec_(codec), service_(service) {}

  [[nodiscard]] std::string_view name() const override { return codec_.name(); }
  [[nodiscard]] EncodedMessage encode(const ChannelMessage& message,
                                      std::string& scratch) const override {
    return codec_.encode(message, scratch);
  }
  void opened(ClientSession& session, const UpgradeRequest& request,
              ProtocolActions& actions) const override;
  void received(ClientSession& session, proto::Bytes payload, bool text,
                ProtocolActions& actions) const override;
  void due(ClientSession& session, ProtocolActions& actions) const override;
  void published(ClientSession& session, Ticket ticket, ProtocolActions& actions) const override;
  void publish_failed(ClientSession& session, const PublishFailure& failure,
                      ProtocolActions& actions) const override;
  void gap(ClientSession& session, const ChannelGap& gap, ProtocolActions& actions) const override;
  [[nodiscard]] Farewell farewell(Farewell own, CloseReason counted) const override;
  void joined(ClientSession& session, Ticket ticket, const Joined& joined,
              ProtocolActions& actions) const override;
  void history(ClientSession& session, Ticket ticket, const HistoryFound& found,
               ProtocolActions& actions) const override;
  void presence(ClientSession& session, Ticket ticket, const PresenceFound& found,
                ProtocolActions& actions) const override;
  void request_failed(ClientSession& session, Ticket ticket, proto::ErrorReason reason,
                      ProtocolActions& actions) const override;
  void closed(ClientSession& session, ProtocolActions& actions) const override;
  void save(const ClientSession& session, std::string& record) const override;
  [[nodiscard]] bool restore(ClientSession& session, proto::Bytes record) const override;
  void resumed(ClientSession& session, ProtocolActions& actions) const override;

 private:
  const CentrifugeCodec& codec_;
  CentrifugeService& service_;
};

}  // namespace sluice::gateway
