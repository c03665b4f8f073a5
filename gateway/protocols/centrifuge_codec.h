// The two encodings of the Centrifuge protocol. Stateless; shared by all clients of one. Everything
// that comes in is a peer's: nothing here trusts it, and nothing throws.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "gateway/frame_log.h"
#include "gateway/protocols/centrifuge.pb.h"
#include "gateway/protocols/client_protocol.h"
#include "proto/epoch.h"

namespace sluice::gateway {

/// Commands in one frame; a frame with more is malformed.
inline constexpr std::size_t kCommandsPerFrameMax = 1024;
/// Replies that are put into one frame.
inline constexpr std::size_t kRepliesPerFrameMax = 16;

class CentrifugeCodec {
 public:
  virtual ~CentrifugeCodec() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;  ///< "centrifuge-json"
  [[nodiscard]] virtual Opcode opcode() const = 0;
  /// Adds the commands of a frame, in order. In JSON, `bytes` fields come out as one valid JSON
  /// value each, without line breaks. A Command without id and body is a pong. An error: the frame
  /// is not of this encoding, or empty (close 3501); text for the log.
  [[nodiscard]] virtual Result<void> decode(proto::Bytes frame,
                                            std::vector<centrifuge::Command>& commands) const = 0;
  /// Adds one reply to a frame that is being put together in `frame`.
  virtual void append(const centrifuge::Reply& reply, std::string& frame) const = 0;
  /// The server's ping.
  [[nodiscard]] virtual std::string_view ping() const = 0;
  /// The push of a channel's message, for all its clients: a publication, or of a members channel
  /// (proto/names.h) a join or leave. `scratch` as in ClientProtocol::encode.
  [[nodiscard]] virtual EncodedMessage encode(const ChannelMessage& message,
                                              std::string& scratch) const = 0;
  /// Fills a Publication as it stands in results. append() puts its data right: what is no JSON
  /// becomes a JSON string (UTF-8) or {"b64data":"…"} (anything else) in JSON.
  void fill(centrifuge::Publication& publication, std::uint64_t offset, proto::Bytes payload,
            proto::Bytes meta) const;
};

[[nodiscard]] const CentrifugeCodec& centrifuge_json();
[[nodiscard]] const CentrifugeCodec& centrifuge_protobuf();

/// How many methods a command names: a pong none, decode() lets no more than one through.
[[nodiscard]] int methods_of(const centrifuge::Command& command);

using proto::epoch_text;
/// The way back. What a client says that is none of ours reads as 0.
[[nodiscard]] std::uint64_t epoch_number(std::string_view text);

}  // namespace sluice::gateway
