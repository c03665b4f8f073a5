// The Protobuf encoding of the Centrifuge protocol: a frame is messages of centrifuge.proto, each
// behind its length as a varint.
#pragma once

#include <string>
#include <string_view>

#include "gateway/protocols/centrifuge_codec.h"

namespace sluice::gateway {

class CentrifugeProtobuf final : public CentrifugeCodec {
 public:
  [[nodiscard]] std::string_view name() const override { return "centrifuge-protobuf"; }
  [[nodiscard]] Opcode opcode() const override { return Opcode::kBinary; }
  [[nodiscard]] Result<void> decode(proto::Bytes frame,
                                    std::vector<centrifuge::Command>& commands) const override;
  void append(const centrifuge::Reply& reply, std::string& frame) const override;
  /// An empty message.
  [[nodiscard]] std::string_view ping() const override { return {"\0", 1}; }
  [[nodiscard]] EncodedMessage encode(const ChannelMessage& message,
                                      std::string& scratch) const override;
};

}  // namespace sluice::gateway
