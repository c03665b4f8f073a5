// Who a client is (gateway/client_identity) as a part of a record. Pure.
#pragma once

#include <memory>

#include "gateway/client_identity.h"
#include "gateway/handoff/bytes.h"

namespace sluice::gateway {

/// `facts` may be null.
void put_identity(ByteWriter& out, const ClientAddress& address, const ClientFacts* facts);
/// False: not what put_identity() writes, or cut short.
[[nodiscard]] bool get_identity(ByteReader& in, ClientAddress& address,
                                std::unique_ptr<const ClientFacts>& facts);

}  // namespace sluice::gateway
