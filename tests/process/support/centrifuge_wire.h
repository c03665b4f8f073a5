// The Centrifuge protocol as a client writes and reads it, in both encodings: of centrifuge.proto's
// messages, JSON by nlohmann. Shares no code with the gateway but what protoc makes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/protocols/centrifuge.pb.h"

namespace sluice::test {

enum class CentrifugeEncoding { kJson, kProtobuf };

/// "centrifuge-json", "centrifuge-protobuf": the subprotocol.
[[nodiscard]] std::string_view subprotocol(CentrifugeEncoding encoding);
/// Adds a command to what will be one frame.
void append_command(CentrifugeEncoding encoding, const centrifuge::Command& command,
                    std::string& frame);
/// Throws HarnessError for what is no reply.
[[nodiscard]] std::vector<centrifuge::Reply> read_replies(CentrifugeEncoding encoding,
                                                          std::string_view frame);

}  // namespace sluice::test
