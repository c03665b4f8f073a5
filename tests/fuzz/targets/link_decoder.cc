// The relay link's decoder (proto/decoder). Promises:
//  - frames and error do not depend on how the stream is cut;
//  - an error sticks, and nothing piles up behind it;
//  - what a body decodes to, encodes back to the same bytes, but for what the format says is
//  ignored
//    (PROTOCOL.md: unused header fields and flags, more behind HELLO and WELCOME).
#include <cstring>
#include <string>
#include <vector>

#include "common/check.h"
#include "proto/decoder.h"
#include "tests/fuzz/input.h"
#include "tests/unit/proto/samples.h"

namespace sluice::proto {
namespace {

/// Small, so that the bound is met by inputs that a fuzzer makes.
constexpr std::size_t kPayloadBytes = 1024;

struct Decoded {
  std::vector<std::string> frames;  ///< header and body as they came
  std::string error;
  std::size_t left = 0;
};

Header header_of(std::string_view frame) {
  Header h;
  std::memcpy(&h.length, frame.data(), 4);
  h.type = static_cast<FrameType>(frame[4]);
  h.flags = static_cast<std::uint8_t>(frame[5]);
  std::memcpy(&h.meta_length, frame.data() + 6, 2);
  std::memcpy(&h.channel, frame.data() + 8, 4);
  std::memcpy(&h.aux, frame.data() + 12, 4);
  std::memcpy(&h.sequence, frame.data() + 16, 8);
  std::memcpy(&h.offset, frame.data() + 24, 8);
  return h;
}

/// `second` says what `original` says; fields that its type does not use are 0.
void check_same(const std::string& original, const std::string& second) {
  const Header a = header_of(original);
  const Header b = header_of(second);
  const bool may_have_more = a.type == FrameType::kHello || a.type == FrameType::kWelcome ||
                             a.type == FrameType::kStatus || a.type == FrameType::kGatewayInfo ||
                             a.type == FrameType::kDrainMark || a.type == FrameType::kControl ||
                             a.type == FrameType::kHistory || a.type == FrameType::kHistoryEnd ||
                             a.type == FrameType::kPresenceClear ||
                             a.type == FrameType::kPresenceSynced ||
                             a.type == FrameType::kPresence || a.type == FrameType::kPresenceEnd;
  CHECK(a.type == b.type && a.meta_length == b.meta_length);
  CHECK(may_have_more ? b.length <= a.length : b.length == a.length);
  CHECK(original.compare(kHeaderBytes, b.length, second, kHeaderBytes, b.length) == 0);
  // Whether a type may be skipped is for those who do not know it.
  CHECK((b.flags & ~(a.flags | kFlagSkippable)) == 0);
  CHECK(b.channel == 0 || b.channel == a.channel);
  CHECK(b.aux == 0 || b.aux == a.aux);
  CHECK(b.sequence == 0 || b.sequence == a.sequence);
  CHECK(b.offset == 0 || b.offset == a.offset);
}

void check_body(const FrameView& frame, const std::string& original) {
  const Result<std::string> second = again(frame);
  if (!second) {
    CHECK(!second.error().message.empty());
    return;
  }
  check_same(original, *second);
  Decoder decoder;
  decoder.feed(as_bytes(*second));
  const auto back = decoder.next();
  CHECK(back && back->has_value());
  const Result<std::string> third = again(**back);
  CHECK(third && *third == *second);
}

Decoded decode(Bytes stream, fuzz::Chunks chunks, bool check_bodies) {
  Decoder decoder(kPayloadBytes);
  Decoded out;
  while (!stream.empty() && out.error.empty()) {
    const std::size_t n = chunks.next(stream.size());
    decoder.feed(stream.first(n));
    stream = stream.subspan(n);
    for (;;) {
      const auto frame = decoder.next();
      if (!frame) out.error = frame.error().message;
      if (!frame || !*frame) break;
      const HeaderBytes header = encode_header((*frame)->header);
      std::string bytes(header.begin(), header.end());
      bytes.append(as_text((*frame)->body));
      if (check_bodies) check_body(**frame, bytes);
      out.frames.push_back(std::move(bytes));
    }
  }
  if (!out.error.empty()) {
    decoder.feed(stream);
    const auto frame = decoder.next();
    CHECK(!frame && frame.error().message == out.error);
    static_cast<void>(decoder.prepare());
    CHECK(decoder.buffered_bytes() == 0);
  } else {
    out.left = decoder.buffered_bytes();
    CHECK(out.left < kHeaderBytes + kPayloadBytes + kMetaBytesMax + kNameFieldBytesMax);
  }
  return out;
}

}  // namespace
}  // namespace sluice::proto

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  fuzz::Input input(data, size);
  const fuzz::Chunks chunks(input);
  const proto::Bytes stream = input.rest();
  const proto::Decoded whole = proto::decode(stream, fuzz::Chunks(), true);
  const proto::Decoded cut = proto::decode(stream, chunks, false);
  CHECK(whole.frames == cut.frames);
  CHECK(whole.error == cut.error);
  CHECK(whole.left == cut.left);
  return 0;
}
