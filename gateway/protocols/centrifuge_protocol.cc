#include "gateway/protocols/centrifuge_protocol.h"

#include <memory>

#include "gateway/protocols/centrifuge_client.h"

namespace sluice::gateway {

void CentrifugeProtocol::opened(ClientSession& session, const UpgradeRequest& request,
                                ProtocolActions& actions) const {
  session.state.protocol = std::make_unique<CentrifugeState>(codec_);
  session.state.protocol_pings = !request.frame_pings;
  CentrifugeClient(session, service_, actions).opened(request);
}

void CentrifugeProtocol::received(ClientSession& session, proto::Bytes payload, bool /*text*/,
                                  ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).received(payload);
}

void CentrifugeProtocol::due(ClientSession& session, ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).due();
}

void CentrifugeProtocol::published(ClientSession& session, Ticket ticket,
                                   ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).published(ticket);
}

void CentrifugeProtocol::publish_failed(ClientSession& session, const PublishFailure& failure,
                                        ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).publish_failed(failure);
}

void CentrifugeProtocol::gap(ClientSession& session, const ChannelGap& gap,
                             ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).gap(gap);
}

void CentrifugeProtocol::joined(ClientSession& session, Ticket ticket, const Joined& joined,
                                ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).joined(ticket, joined);
}

void CentrifugeProtocol::history(ClientSession& session, Ticket ticket, const HistoryFound& found,
                                 ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).history(ticket, found);
}

void CentrifugeProtocol::presence(ClientSession& session, Ticket ticket, const PresenceFound& found,
                                  ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).presence(ticket, found);
}

void CentrifugeProtocol::request_failed(ClientSession& session, Ticket ticket,
                                        proto::ErrorReason reason, ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).request_failed(ticket, reason);
}

void CentrifugeProtocol::closed(ClientSession& session, ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).closed();
}

void CentrifugeProtocol::save(const ClientSession& session, std::string& record) const {
  gateway::save(CentrifugeClient::state_of(session), record);
}

bool CentrifugeProtocol::restore(ClientSession& session, proto::Bytes record) const {
  auto state = std::make_unique<CentrifugeState>(codec_);
  if (!gateway::restore(*state, record, service_.channels(), service_.user_names())) return false;
  session.state.protocol = std::move(state);
  return true;
}

void CentrifugeProtocol::resumed(ClientSession& session, ProtocolActions& actions) const {
  CentrifugeClient(session, service_, actions).resumed();
}

Farewell CentrifugeProtocol::farewell(Farewell own, CloseReason counted) const {
  switch (own.code) {
    case CloseCode::kGoingAway:
      if (counted == CloseReason::kAged) return {CloseCode::kForceReconnect, "connection age"};
      return {CloseCode::kShutdown, "shutdown"};
    case CloseCode::kPolicy:
      if (counted == CloseReason::kTooSlow) return {CloseCode::kSlow, "slow"};
      if (counted == CloseReason::kRateLimited)
        return {CloseCode::kTooManyRequests, "too many requests"};
      return {CloseCode::kPermissionDenied, "permission denied"};
    case CloseCode::kServiceRestart:
      return {CloseCode::kInsufficientState, "insufficient state"};
    case CloseCode::kTryAgainLater:
      return {CloseCode::kServerError, "internal error"};
    default:
      return own;
  }
}

}  // namespace sluice::gateway
