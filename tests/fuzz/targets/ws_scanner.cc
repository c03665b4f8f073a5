// Steps 1 and 2 of a message's path: what a client sends after the upgrade (gateway/ws_scanner),
// and the messages made of it (gateway/session_input). Promises, against a reader of RFC 6455 that
// shares no code with them and has the whole stream:
//  - events and fault are its, at any split, and a fault ends the stream at the very byte;
//  - what is passed on holds no control frame and no whole message that is wrong, and gives its
//    messages;
//  - nothing of an assembled message is kept once it is released.
#include "gateway/ws_scanner.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "common/check.h"
#include "gateway/session_input.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/utf8_reference.h"

namespace sluice::gateway {
namespace {

/// Small, so that the bound is met.
constexpr std::size_t kMessageBytes = 300;

/// What a stream is: by the reference, or by the scanner.
struct Reading {
  std::vector<std::string> events;
  std::vector<std::string> messages;
  ScanFault fault = ScanFault::kNone;
  bool ended = false;
  std::size_t at = 0;  ///< bytes until it ended
};

/// RFC 6455 section 5, one frame after the other.
class Reference {
 public:
  explicit Reference(std::string_view stream) : stream_(stream) {}
  Reading read() {
    while (!out_.ended && frame()) continue;
    return out_;
  }

 private:
  bool fail(ScanFault fault, std::size_t at) {
    out_.fault = fault;
    out_.ended = true;
    out_.at = at;
    return false;
  }
  [[nodiscard]] unsigned byte(std::size_t at) const {
    return static_cast<unsigned char>(stream_[at]);
  }
  [[nodiscard]] ScanFault first_byte(unsigned first) const;
  bool frame();
  bool payload(std::string_view masked, std::size_t begin, std::uint64_t length);
  bool control(const std::string& text, std::size_t end);
  bool data(const std::string& text, std::size_t begin, bool whole);

  std::string_view stream_;
  std::size_t position_ = 0;
  unsigned opcode_ = 0;
  bool final_ = false;
  bool in_message_ = false;
  bool text_ = false;
  std::string message_;
  Reading out_;
};

ScanFault Reference::first_byte(unsigned first) const {
  const unsigned opcode = first & 15U;
  if ((first & 0x70U) != 0) return ScanFault::kReservedBits;
  if ((opcode > 2 && opcode < 8) || opcode > 10) return ScanFault::kReservedOpcode;
  if (opcode >= 8) return first < 128 ? ScanFault::kControlFragmented : ScanFault::kNone;
  if (opcode == 0 && !in_message_) return ScanFault::kNothingToContinue;
  if (opcode != 0 && in_message_) return ScanFault::kMessageInsideOther;
  return ScanFault::kNone;
}

/// False: the stream ends here, or in this frame.
bool Reference::frame() {
  const std::size_t left = stream_.size() - position_;
  if (left < 1) return false;
  const ScanFault fault = first_byte(byte(position_));
  if (fault != ScanFault::kNone) return fail(fault, position_ + 1);
  opcode_ = byte(position_) & 15U;
  final_ = byte(position_) >= 128;
  if (left < 2) return false;
  const unsigned second = byte(position_ + 1);
  if (second < 128) return fail(ScanFault::kUnmasked, position_ + 2);
  std::uint64_t length = second & 127U;
  if (opcode_ >= 8 && length > 125) return fail(ScanFault::kControlTooLong, position_ + 2);
  const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
  // 5.2: "the most significant bit MUST be 0".
  if (more == 8 && left > 2 && byte(position_ + 2) >= 128)
    return fail(ScanFault::kLengthNotMinimal, position_ + 3);
  if (left < 2 + more) return false;
  const std::size_t length_end = position_ + 2 + more;
  if (more > 0) {
    length = 0;
    for (std::size_t i = position_ + 2; i < length_end; ++i) length = length * 256 + byte(i);
    const bool minimal = more == 2 ? length >= 126 : length >= 65536;
    if (!minimal) return fail(ScanFault::kLengthNotMinimal, length_end);
  }
  if (opcode_ < 8 && length > kMessageBytes - (opcode_ == 0 ? message_.size() : 0))
    return fail(ScanFault::kTooBig, length_end);
  if (left < 2 + more + 4) return false;
  return payload(stream_.substr(length_end), length_end + 4, length);
}

bool Reference::payload(std::string_view masked, std::size_t begin, std::uint64_t length) {
  const std::string_view mask = masked.substr(0, 4);
  masked = masked.substr(4, length);
  std::string text;
  for (std::size_t i = 0; i < masked.size(); ++i)
    text += static_cast<char>(masked[i] ^ mask[i % 4]);
  const bool whole = text.size() == length;
  position_ = begin + text.size();
  if (opcode_ < 8) return data(text, begin, whole);
  return whole && control(text, position_);
}

bool Reference::control(const std::string& text, std::size_t end) {
  if (opcode_ == 9) out_.events.push_back("ping " + text);
  if (opcode_ == 10) out_.events.emplace_back("pong");
  if (opcode_ != 8) return true;
  if (text.size() == 1) return fail(ScanFault::kCloseLength, end);
  unsigned code = 0;
  if (!text.empty()) {
    code = static_cast<unsigned char>(text[0]) * 256U + static_cast<unsigned char>(text[1]);
    // 7.4: no code below 1000, 1004 to 1006 and 1015 never on the wire, 1016 to 2999 not given.
    const bool unused = code < 1000 || (code >= 1004 && code <= 1006) || code > 4999;
    if (unused || (code >= 1015 && code <= 2999)) return fail(ScanFault::kCloseCode, end);
    if (fuzz::judge_text(text.substr(2)) != fuzz::Text::kValid)
      return fail(ScanFault::kNotUtf8, end);
  }
  out_.events.push_back("close " + std::to_string(code));
  return fail(ScanFault::kNone, end);
}

bool Reference::data(const std::string& text, std::size_t begin, bool whole) {
  if (opcode_ != 0) {
    in_message_ = true;
    text_ = opcode_ == 1;
    message_.clear();
  }
  const std::size_t before = message_.size();
  message_ += text;
  if (text_) {
    const std::size_t wrong = fuzz::first_wrong_byte(message_);
    if (wrong != 0) return fail(ScanFault::kNotUtf8, begin + wrong - before);
    if (whole && final_ && fuzz::judge_text(message_) != fuzz::Text::kValid)
      return fail(ScanFault::kNotUtf8, position_);
  }
  if (!whole) return false;
  if (!final_) return true;
  out_.messages.push_back(message_);
  message_.clear();
  in_message_ = false;
  return true;
}

struct Recorder final : ScanEvents {
  void ping(std::span<const std::uint8_t> payload) override {
    events.push_back("ping " + std::string(proto::as_text(payload)));
  }
  void pong() override { events.emplace_back("pong"); }
  void close(std::uint16_t code) override { events.push_back("close " + std::to_string(code)); }
  std::vector<std::string> events;
};

/// The messages of what was passed on, as libwebsockets hands them over: each frame's payload in
/// pieces.
std::vector<std::string> messages_of(std::string_view kept, std::size_t piece_bytes) {
  std::vector<std::string> messages;
  InboundMessage state;
  bool first = true;
  bool text = false;
  while (kept.size() >= 6) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(kept[i]); };
    CHECK((byte(0) & 15U) <= 2 && (byte(1) & 128U) != 0);
    if ((byte(0) & 15U) != 0) text = (byte(0) & 15U) == 1;
    const bool final = (byte(0) & 128U) != 0;
    std::size_t length = byte(1) & 127U;
    std::size_t header = 6;
    if (length == 126) {
      length = byte(2) * 256U + byte(3);
      header = 8;
    }
    CHECK(length <= kMessageBytes);  // so 127 never comes
    if (kept.size() < header + length) break;
    std::string payload(kept.substr(header, length));
    for (std::size_t i = 0; i < length; ++i)
      payload[i] = static_cast<char>(payload[i] ^ kept[header - 4 + i % 4]);
    kept.remove_prefix(header + length);
    std::size_t at = 0;
    do {
      const std::size_t n = std::min(piece_bytes, payload.size() - at);
      const std::string piece = payload.substr(at, n);
      at += n;
      const Input got =
          add_fragment(state, {proto::as_bytes(piece), first, final && at == payload.size(), text});
      CHECK(state.bytes.size() <= kMessageBytes);
      first = got.verdict == InputVerdict::kMessage;
      CHECK(first == (final && at == payload.size()));
      if (!first) continue;
      messages.emplace_back(proto::as_text(got.message));
      release_message(state);
      CHECK(state.bytes.empty() && state.bytes.capacity() <= 64 && !state.open);
    } while (at < payload.size());
  }
  return messages;
}

void check(std::string_view stream, fuzz::Chunks chunks, const Reading& right) {
  WsScanner scanner;
  Recorder recorder;
  std::string kept;
  std::size_t fed = 0;
  while (fed < stream.size()) {
    const std::size_t n = chunks.next(stream.size() - fed);
    std::string piece(stream.substr(fed, n));
    fed += n;
    const std::size_t out =
        scanner.feed({reinterpret_cast<std::uint8_t*>(piece.data()), n}, kMessageBytes, recorder);
    CHECK(out <= n);
    kept.append(piece, 0, out);
    // At that byte, not before and not later.
    CHECK(scanner.ended() == (right.ended && fed >= right.at));
  }
  CHECK(scanner.ended() == right.ended && scanner.fault() == right.fault);
  CHECK(recorder.events == right.events);
  const std::vector<std::string> messages = messages_of(kept, 1 + stream.size() % 7);
  CHECK(messages == right.messages);
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  constexpr std::size_t kBytesMax = 2048;
  if (size > kBytesMax) return 0;
  fuzz::Input input(data, size);
  const fuzz::Chunks chunks(input);
  const std::string_view stream = fuzz::as_text(input.rest());
  const gateway::Reading right = gateway::Reference(stream).read();
  gateway::check(stream, fuzz::Chunks(), right);
  gateway::check(stream, chunks, right);
  const std::uint8_t single[] = {1, 0};
  fuzz::Input bytewise(single, sizeof single);
  gateway::check(stream, fuzz::Chunks(bytewise), right);
  return 0;
}
