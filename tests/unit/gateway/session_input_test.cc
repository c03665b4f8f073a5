#include "gateway/session_input.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::gateway {
namespace {

Fragment fragment(std::string_view bytes, bool first, bool final, bool text = true) {
  return {proto::as_bytes(bytes), first, final, text};
}

TEST(SessionInput, OnePieceIsNotCopied) {
  InboundMessage state;
  const std::string text = "hello";
  const Input input = add_fragment(state, fragment(text, true, true));
  ASSERT_EQ(input.verdict, InputVerdict::kMessage);
  EXPECT_EQ(static_cast<const void*>(input.message.data()), static_cast<const void*>(text.data()));
}

TEST(SessionInput, AssemblesAtEverySplit) {
  const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z";
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t j = i; j <= text.size(); ++j) {
      InboundMessage state;
      ASSERT_EQ(add_fragment(state, fragment(text.substr(0, i), true, false)).verdict,
                InputVerdict::kMore);
      ASSERT_EQ(add_fragment(state, fragment(text.substr(i, j - i), false, false)).verdict,
                InputVerdict::kMore);
      const std::string last = text.substr(j);
      const Input input = add_fragment(state, fragment(last, false, true));
      ASSERT_EQ(input.verdict, InputVerdict::kMessage);
      EXPECT_EQ(proto::as_text(input.message), text);
      release_message(state);
    }
  }
}

TEST(SessionInput, ALargeMessageGivesItsMemoryBack) {
  InboundMessage state;
  ASSERT_EQ(add_fragment(state, fragment(std::string(5000, 'x'), true, false)).verdict,
            InputVerdict::kMore);
  ASSERT_EQ(add_fragment(state, fragment("y", false, true)).verdict, InputVerdict::kMessage);
  release_message(state);
  EXPECT_LT(state.bytes.capacity(), 100U);
}

}  // namespace
}  // namespace sluice::gateway
