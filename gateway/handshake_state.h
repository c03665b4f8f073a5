// A handshake under way, for another process to go on with. Pure.
#pragma once

#include <memory>
#include <string>

#include "gateway/client_identity.h"

namespace sluice::gateway {

struct HandshakeState {
  ClientAddress address;  ///< the peer's until a PROXY header or the head tells the client's
  std::unique_ptr<const ClientFacts> facts;
  bool speaker_unknown = false;  ///< a PROXY header came, and did not say who speaks behind it
  bool may_proxy = false;        ///< a PROXY header from this peer is believed
  bool proxy_done = false;       ///< what follows is HTTP
  bool bound = false;            ///< counted for its address
  std::string bytes;             ///< received and not yet used
};

}  // namespace sluice::gateway
