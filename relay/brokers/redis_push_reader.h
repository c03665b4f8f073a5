// Step 8 of a message's path: the bytes of the subscriber connection become events. An incremental
// RESP2 reader that knows the few shapes which come there: pushes of at most three elements, PONG,
// errors. Pure: bytes in, events out.
//
// Our own, because hiredis' reader holds every reply whole before it says anything of it, at a
// length that a publisher chooses (512 MB and more), and has no place to skip one. It copies each
// payload twice besides. Here a payload that lies whole in the bytes read is handed out as a view,
// one that is split goes piece by piece to where the ring will keep it, and one that no link
// carries is counted and skipped: never more is held than one payload of the size that a link
// carries. Handshake and publisher, whose answers are short, use hiredis (redis_reply_reader.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/frame.h"
#include "relay/replay_ring.h"

namespace sluice::relay {

struct RedisPush {
  enum class Kind {
    kMore,       ///< all bytes are used up, the next event is not whole
    kMessage,    ///< channel, payload
    kAssembled,  ///< channel, message
    kOversized,  ///< channel, bytes
    kSubscribed,
    kUnsubscribed,
    kPong,
    kError,      ///< text
    kMalformed,  ///< text: what is wrong. Nothing more can be read.
  };
  Kind kind = Kind::kMore;
  std::string_view channel{};
  std::string_view text{};
  proto::Bytes payload{};
  std::optional<EntryDraft> message{};
  std::uint64_t bytes = 0;  ///< length of what was skipped
};

class RedisPushReader {
  friend struct RedisPushCodec;  // handover/

 public:
  /// Larger payloads are skipped.
  explicit RedisPushReader(std::size_t payload_bytes_max) : payload_bytes_max_(payload_bytes_max) {}

  /// The next event; takes off the front of `bytes` what it has used. Views in it live until the
  /// next call, and as long as the bytes. Sticky once malformed.
  [[nodiscard]] RedisPush next(std::string_view& bytes);

  /// For a test of the bounds.
  [[nodiscard]] std::size_t held_bytes() const;

 private:
  enum class At { kReply, kElement, kText, kView, kPayload, kSkip, kPayloadEnd, kSkipEnd, kBroken };
  enum class Push { kMessage, kSubscribe, kUnsubscribe, kPong };
  /// Nothing: go on, or wait when no bytes are left.
  using Found = std::optional<RedisPush>;

  /// A message that lies whole in `bytes`, in one go: nearly all that comes. Nothing: step by
  /// step then, which also says what is wrong with it.
  [[nodiscard]] Found read_whole_message(std::string_view& bytes) const;
  [[nodiscard]] Found step(std::string_view& bytes);
  [[nodiscard]] Found read_reply(std::string_view& bytes);
  [[nodiscard]] Found begin_array(std::string_view count);
  [[nodiscard]] Found read_element(std::string_view& bytes);
  [[nodiscard]] Found read_text(std::string_view& bytes);
  [[nodiscard]] Found take_text(std::string_view text);
  [[nodiscard]] Found begin_payload(std::uint64_t length);
  [[nodiscard]] Found read_view(std::string_view& bytes);
  [[nodiscard]] Found read_payload(std::string_view& bytes);
  [[nodiscard]] Found skip(std::string_view& bytes);
  [[nodiscard]] Found read_end(std::string_view& bytes);
  [[nodiscard]] Found end_push();
  [[nodiscard]] Found malformed(std::string_view what);

  /// A whole line without its end; nothing: more is needed, what was there has been kept.
  [[nodiscard]] std::optional<std::string_view> take_line(std::string_view& bytes);

  const std::size_t payload_bytes_max_;
  At at_ = At::kReply;
  Push push_ = Push::kMessage;
  std::size_t elements_ = 0;  ///< of the array
  std::size_t element_ = 0;   ///< the one being read
  std::uint64_t left_ = 0;    ///< bytes of the string being read, or skipped
  std::uint64_t length_ = 0;  ///< of the payload
  std::string partial_;       ///< a line or short string that is not whole yet
  bool partial_used_ = false;
  std::string channel_;
  std::optional<EntryDraft> draft_;
  std::string_view problem_;
};

}  // namespace sluice::relay
