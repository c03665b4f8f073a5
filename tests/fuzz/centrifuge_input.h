// What the targets of the Centrifuge codecs share: a channel's message out of an input, and what
// one encoding makes of it.
#pragma once

#include <string>

#include "common/check.h"
#include "common/utf8.h"
#include "gateway/protocols/centrifuge_codec.h"
#include "tests/fuzz/input.h"

namespace sluice::fuzz {

struct EncodedInput {
  std::string channel;
  std::string meta;
  std::string payload;

  /// Channel and meta behind their lengths, the payload is the rest. A channel's name is UTF-8.
  explicit EncodedInput(Input& input) : channel(input.text()), meta(input.text()) {
    const auto rest = input.rest();
    payload.assign(rest.begin(), rest.end());
    if (!valid_utf8(proto::as_bytes(channel))) channel = "c";
  }

  [[nodiscard]] std::string by(const gateway::CentrifugeCodec& codec) const {
    const gateway::ChannelMessage message{
        channel, {1, payload.size()}, proto::as_bytes(payload), proto::as_bytes(meta)};
    std::string scratch;
    const gateway::EncodedMessage made = codec.encode(message, scratch);
    CHECK(made.opcode == codec.opcode());
    return std::string(made.prefix).append(proto::as_text(made.payload));
  }
};

}  // namespace sluice::fuzz
