#include "gateway/handoff/handshake_record.h"

#include <gtest/gtest.h>

#include "keeper/wire.h"

namespace sluice::gateway {
namespace {

HandshakeState sample() {
  HandshakeState state;
  state.address = {*IpAddress::parse("192.0.2.7"), 51234, false};
  auto facts = std::make_unique<ClientFacts>();
  facts->cipher = "TLS_AES_128_GCM_SHA256";
  facts->server_name = std::string("a\0b", 3);
  facts->certificate_verified = true;
  facts->certificate_name = "someone";
  state.facts = std::move(facts);
  state.may_proxy = true;
  state.proxy_done = true;
  state.bytes = std::string("GET / HTTP/1.1\r\nHo\0st", 21);
  return state;
}

TEST(HandshakeRecord, ComesBackAsItWas) {
  const auto state = decode_handshake(encode_handshake(sample()));
  ASSERT_TRUE(state);
  EXPECT_EQ(state->address, sample().address);
  ASSERT_NE(state->facts, nullptr);
  EXPECT_EQ(state->facts->cipher, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(state->facts->server_name, std::string("a\0b", 3));
  EXPECT_TRUE(state->facts->certificate_verified);
  EXPECT_EQ(state->facts->certificate_name, "someone");
  EXPECT_TRUE(state->may_proxy);
  EXPECT_TRUE(state->proxy_done);
  EXPECT_FALSE(state->bound);
  EXPECT_FALSE(state->speaker_unknown);
  EXPECT_EQ(state->bytes, sample().bytes);
}

TEST(HandshakeRecord, EachMarkIsItsOwn) {
  constexpr bool HandshakeState::*kMarks[] = {&HandshakeState::speaker_unknown,
                                              &HandshakeState::may_proxy,
                                              &HandshakeState::proxy_done, &HandshakeState::bound};
  for (const auto set : kMarks) {
    HandshakeState state;
    state.address.is_unix = true;
    state.*set = true;
    const auto back = decode_handshake(encode_handshake(state));
    ASSERT_TRUE(back);
    EXPECT_TRUE(back->address.is_unix);
    EXPECT_EQ(back->facts, nullptr);
    for (const auto mark : kMarks) EXPECT_EQ((*back).*mark, mark == set);
  }
}

TEST(HandshakeRecord, WhatIsCutShortOrChangedIsRefused) {
  HandshakeState state = sample();
  state.bytes.clear();  // they may have any length
  const std::string whole = encode_handshake(state);
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(decode_handshake(whole.substr(0, n))) << n;
  for (const std::size_t at : {0U, 1U, 2U}) {
    std::string other = whole;
    other[at] = static_cast<char>(0x7F);
    EXPECT_FALSE(decode_handshake(other)) << at;
  }
  // A verified certificate of a client of whom nothing was told.
  std::string bare = encode_handshake(HandshakeState{});
  bare[2] = 4;
  EXPECT_FALSE(decode_handshake(bare));
}

TEST(HandshakeRecord, OneThatTheKeeperCannotTakeIsEmpty) {
  HandshakeState state;
  const std::size_t around = encode_handshake(state).size();
  state.bytes.assign(keeper::kPendingBytesMax - around, 'x');
  EXPECT_EQ(encode_handshake(state).size(), keeper::kPendingBytesMax);
  state.bytes += 'x';
  EXPECT_EQ(encode_handshake(state), "");
}

}  // namespace
}  // namespace sluice::gateway
