// The JSON encoding of the Centrifuge protocol: a frame is one JSON object per command or reply,
// joined by line breaks. The two halves of it: what clients say (centrifuge_json_read) and what
// they are told (centrifuge_json_write).
#pragma once

#include <string>
#include <string_view>

#include "gateway/protocols/centrifuge_codec.h"

namespace sluice::gateway {

/// One line of a frame. False: it is no command; `command` may be filled in part.
[[nodiscard]] bool read_json_command(std::string_view line, centrifuge::Command& command);

void write_json_reply(const centrifuge::Reply& reply, std::string& out);
/// The push of a publication, from its parts.
void write_json_publication(const ChannelMessage& message, std::string& out);

class CentrifugeJson final : public CentrifugeCodec {
 public:
  [[nodiscard]] std::string_view name() const override { return "centrifuge-json"; }
  [[nodiscard]] Opcode opcode() const override { return Opcode::kText; }
  [[nodiscard]] Result<void> decode(proto::Bytes frame,
                                    std::vector<centrifuge::Command>& commands) const override;
  void append(const centrifuge::Reply& reply, std::string& frame) const override;
  [[nodiscard]] std::string_view ping() const override { return "{}"; }
  [[nodiscard]] EncodedMessage encode(const ChannelMessage& message,
                                      std::string& scratch) const override;
};

}  // namespace sluice::gateway
