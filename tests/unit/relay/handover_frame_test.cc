// What stands round the state: numbers and texts, the preamble that every version reads, the
// program that follows.
#include <gtest/gtest.h>

#include <string>

#include "relay/handover/preamble.h"
#include "relay/handover/sealed_memory.h"
#include "relay/handover/state_reader.h"
#include "tests/unit/relay/handover_samples.h"

namespace sluice::relay::test {
namespace {

TEST(HandoverState, TheFirstFaultSticks) {
  const std::string bytes = written([](StateWriter& out) {
    out.number<std::uint32_t>(7);
    out.text("hello");
    out.flag(true);
  });
  StateReader reader(proto::as_bytes(bytes));
  EXPECT_EQ(reader.number<std::uint32_t>("number"), 7U);
  EXPECT_EQ(reader.text("text", 4), "");
  EXPECT_EQ(reader.error(), "text is longer than allowed");
  EXPECT_FALSE(reader.flag("flag"));
  reader.must_end();
  EXPECT_EQ(reader.error(), "text is longer than allowed");
}

TEST(HandoverState, NoCountIsBelievedForWhichThereIsNoRoom) {
  const std::string bytes =
      written([](StateWriter& out) { out.number<std::uint64_t>(1'000'000'000'000); });
  StateReader reader(proto::as_bytes(bytes));
  EXPECT_EQ(reader.count("things", 1), 0U);
  EXPECT_FALSE(reader.good());
}

TEST(HandoverState, ASinkThatRefusesOnceHasRefused) {
  int calls = 0;
  StateWriter writer([&calls](std::string_view) { return ++calls != 1; });
  writer.text(std::string(1 << 20, 'x'));
  EXPECT_FALSE(writer.finish());
}

TEST(HandoverPreamble, SaysItAllAndRefusesTheRest) {
  Preamble before{.total_bytes = 0, .link_socket = 5, .admin_socket = -1, .others = {7, 8, 9}};
  before.total_bytes = preamble_bytes(before);
  const std::string bytes = encode(before);
  ASSERT_EQ(bytes.size(), preamble_bytes(before));
  const auto after = decode_preamble(proto::as_bytes(bytes));
  ASSERT_TRUE(after);
  EXPECT_EQ(after->version, kStateVersion);
  EXPECT_EQ(after->link_socket, 5);
  EXPECT_EQ(after->admin_socket, -1);
  EXPECT_EQ(after->others, before.others);
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_FALSE(decode_preamble(proto::as_bytes(std::string_view(bytes).substr(0, n)))) << n;
  EXPECT_FALSE(decode_preamble(proto::as_bytes(bytes + "x"))) << "the total says otherwise";
}

TEST(HandoverPreamble, DescriptorsAreDifferentAndNoneIsAStandardOne) {
  Preamble preamble{.total_bytes = 0, .link_socket = 5, .admin_socket = 5, .others = {}};
  preamble.total_bytes = preamble_bytes(preamble);
  EXPECT_FALSE(decode_preamble(proto::as_bytes(encode(preamble))));
  preamble.admin_socket = 2;
  EXPECT_FALSE(decode_preamble(proto::as_bytes(encode(preamble))));
  preamble.admin_socket = 6;
  EXPECT_TRUE(decode_preamble(proto::as_bytes(encode(preamble))));
}

TEST(HandoverMemory, OnlySealedMemoryIsRead) {
  auto open = StateMemory::create();
  ASSERT_TRUE(open);
  ASSERT_TRUE(open->append("hello"));
  ASSERT_TRUE(open->overwrite_front("J"));
  EXPECT_FALSE(MappedState::open(UniqueFd(::dup(open->descriptor()))));
  ASSERT_TRUE(open->seal());
  EXPECT_FALSE(open->append("more"));
  const auto mapped = MappedState::open(UniqueFd(::dup(open->descriptor())));
  ASSERT_TRUE(mapped);
  EXPECT_EQ(proto::as_text(mapped->bytes()), "Jello");
}

}  // namespace
}  // namespace sluice::relay::test
