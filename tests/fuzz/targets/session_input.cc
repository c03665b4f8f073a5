// Step 2 of a message's path: fragments become a message (gateway/session_input, common/utf8).
// Promises, against a slow and plain reading of RFC 3629 and RFC 6455 5.6:
//  - the message is what its fragments say, however libwebsockets hands them over;
//  - a text fails in the call that brings the first byte which can't be part of any valid text;
//  - no more than the bound is ever kept, and a released message keeps nothing.
#include <string>

#include "common/check.h"
#include "gateway/session_input.h"
#include "tests/fuzz/input.h"

namespace sluice::gateway {
namespace {

/// Small, so that the bound is met.
constexpr std::size_t kMessageBytes = 300;
constexpr std::size_t kKeptBytesMax = 64;

/// Length of the sequence at `at`: by the table of RFC 3629 section 4. 0: can't be; -1: its
/// beginning is right, the rest is missing.
int character(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const int length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  for (int i = 1; i < length; ++i) {
    const auto place = static_cast<std::size_t>(i);
    if (at + place >= text.size()) return -1;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (i == 1 && first == 0xE0) low = 0xA0;
    if (i == 1 && first == 0xED) high = 0x9F;
    if (i == 1 && first == 0xF0) low = 0x90;
    if (i == 1 && first == 0xF4) high = 0x8F;
    if (byte(place) < low || byte(place) > high) return 0;
  }
  return length;
}

enum class Text { kValid, kBegun, kWrong };

Text judge(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const int length = character(text, at);
    if (length == 0) return Text::kWrong;
    if (length < 0) return Text::kBegun;
    at += static_cast<std::size_t>(length);
  }
  return Text::kValid;
}

InputVerdict expected(const std::string& so_far, bool text, bool final) {
  if (so_far.size() > kMessageBytes) return InputVerdict::kTooBig;
  const Text judged = text ? judge(so_far) : Text::kValid;
  if (judged == Text::kWrong) return InputVerdict::kNotUtf8;
  if (!final) return InputVerdict::kMore;
  return judged == Text::kValid ? InputVerdict::kMessage : InputVerdict::kNotUtf8;
}

void run(fuzz::Input& input) {
  InboundMessage state;
  std::string so_far;
  bool first = true;
  bool text = false;
  while (!input.empty()) {
    const std::uint8_t shape = input.byte();
    if (first) text = (shape & 1U) != 0;
    const bool final = (shape & 2U) != 0;
    const std::string bytes = input.text();
    const Input got =
        add_fragment(state, {proto::as_bytes(bytes), first, final, text}, kMessageBytes);
    so_far += bytes;
    CHECK(got.verdict == expected(so_far, text, final));
    CHECK(state.bytes.size() <= kMessageBytes);
    if (got.verdict == InputVerdict::kTooBig || got.verdict == InputVerdict::kNotUtf8) return;
    first = false;
    if (got.verdict == InputVerdict::kMore) continue;
    CHECK(proto::as_text(got.message) == so_far);
    CHECK(!text || valid_utf8(got.message));
    release_message(state);
    CHECK(state.bytes.empty() && state.bytes.capacity() <= kKeptBytesMax && !state.open);
    so_far.clear();
    first = true;
  }
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sluice::fuzz::Input input(data, size);
  sluice::gateway::run(input);
  return 0;
}
