// Takes the byte stream of a relay link apart. No I/O; any split of the input gives the same
// frames; errors are sticky.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/result.h"
#include "proto/frame.h"

namespace sluice::proto {

/// Use: fill prepare(), commit() what was read, then next() until it returns nothing. A FrameView
/// lives until the next prepare(). After an error next() returns it for ever.
class Decoder {
 public:
  /// payload_bytes_max: the largest payload taken, at most kPayloadBytesMax.
  explicit Decoder(std::size_t payload_bytes_max = kPayloadBytesMax);

  /// Room for at least one byte, and for the rest of the frame that is under way.
  [[nodiscard]] std::span<std::uint8_t> prepare();
  void commit(std::size_t bytes);
  /// prepare + copy + commit, for input that already lies somewhere.
  void feed(Bytes input);

  /// The next whole frame; an empty optional: more input is needed.
  [[nodiscard]] Result<std::optional<FrameView>> next();

  [[nodiscard]] std::size_t buffered_bytes() const { return end_ - begin_; }
  /// Those: given to another decoder, it stands where this one does. Lives until the next call.
  [[nodiscard]] Bytes buffered() const { return Bytes(buffer_).subspan(begin_, end_ - begin_); }

 private:
  [[nodiscard]] Result<Header> read_header() const;

  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t body_bytes_max_;
  std::optional<Error> error_;
};

// Bodies. Each fails with a message that names the frame and the field.
[[nodiscard]] Result<Hello> decode_hello(const FrameView& frame);
[[nodiscard]] Result<Welcome> decode_welcome(const FrameView& frame);
[[nodiscard]] Result<Subscribe> decode_subscribe(const FrameView& frame);
[[nodiscard]] Result<Subscribed> decode_subscribed(const FrameView& frame);
[[nodiscard]] Result<Publish> decode_publish(const FrameView& frame);
[[nodiscard]] Result<ErrorFrame> decode_error(const FrameView& frame);
[[nodiscard]] Result<Message> decode_message(const FrameView& frame);
[[nodiscard]] Result<Gap> decode_gap(const FrameView& frame);
[[nodiscard]] Result<BrokerState> decode_broker_state(const FrameView& frame);
[[nodiscard]] Result<Goodbye> decode_goodbye(const FrameView& frame);
[[nodiscard]] Result<Status> decode_status(const FrameView& frame);
[[nodiscard]] Result<StatusReply> decode_status_reply(const FrameView& frame);
[[nodiscard]] Result<GatewayInfo> decode_gateway_info(const FrameView& frame);
[[nodiscard]] Result<DrainMark> decode_drain_mark(const FrameView& frame);
[[nodiscard]] Result<Control> decode_control(const FrameView& frame);
[[nodiscard]] Result<History> decode_history(const FrameView& frame);
[[nodiscard]] Result<HistoryItem> decode_history_item(const FrameView& frame);
[[nodiscard]] Result<HistoryEnd> decode_history_end(const FrameView& frame);
[[nodiscard]] Result<PresenceSet> decode_presence_set(const FrameView& frame);
[[nodiscard]] Result<PresenceClear> decode_presence_clear(const FrameView& frame);
[[nodiscard]] Result<Presence> decode_presence(const FrameView& frame);
[[nodiscard]] Result<PresenceItem> decode_presence_item(const FrameView& frame);
[[nodiscard]] Result<PresenceEnd> decode_presence_end(const FrameView& frame);
/// UNSUBSCRIBE and UNSUBSCRIBED: the channel id.
[[nodiscard]] Result<std::uint32_t> decode_channel_only(const FrameView& frame);
/// PUBLISHED, CONTROLLED, PING, PONG: request id or token.
[[nodiscard]] Result<std::uint64_t> decode_sequence_only(const FrameView& frame);

}  // namespace sluice::proto
