#include "gateway/handoff/session_record.h"

#include <gtest/gtest.h>

#include <cstring>

#include "gateway/limits.h"
#include "gateway/protocols/plain.h"
#include "gateway/upgrade_request.h"

namespace sluice::gateway {
namespace {

class SessionRecordTest : public ::testing::Test {
 protected:
  SessionRecordTest() {
    session_.protocol = &protocol_;
    SessionState& state = session_.state;
    state.id = {0x1122334455667788, 0x99AABBCCDDEEFF00};
    state.address = {*IpAddress::parse("2001:db8::7"), 51234, false};
    state.connected_at = TimePoint(std::chrono::seconds(1000));
    state.spoke_at = TimePoint(std::chrono::seconds(1001));
    state.ping_at = TimePoint(std::chrono::microseconds(1002000003));
    subscribe("livechat", 77);
  }
  void subscribe(const std::string& channel, std::uint64_t began) {
    const auto audience = static_cast<std::uint32_t>(names_.size());
    names_.push_back(channel);
    session_.state.subscriptions.push_back({audience, 0, began});
  }
  [[nodiscard]] NameSubscription name_of() {
    return [this](const Subscription& subscription) {
      return SubscriptionName{names_[subscription.audience], 5};
    };
  }
  [[nodiscard]] std::vector<std::uint8_t> encode() { return encode_session(session_, name_of()); }

  ManualTime time_;
  PlainProtocol protocol_{PlainOptions{}, time_};
  ClientSession session_;
  std::vector<std::string> names_;
};

TEST_F(SessionRecordTest, ComesBackAsItWas) {
  subscribe("news", 0);
  const auto record = decode_session(encode());
  ASSERT_TRUE(record);
  EXPECT_EQ(record->protocol, protocol_.name());
  EXPECT_EQ(record->state.id, session_.state.id);
  EXPECT_EQ(record->state.address, session_.state.address);
  EXPECT_EQ(record->state.facts, nullptr);
  EXPECT_EQ(record->state.connected_at, session_.state.connected_at);
  EXPECT_EQ(record->state.spoke_at, session_.state.spoke_at);
  EXPECT_EQ(record->state.ping_at, session_.state.ping_at);
  EXPECT_EQ(record->state.expires_at, TimePoint{});
  EXPECT_EQ(record->state.due_at, TimePoint{});
  EXPECT_EQ(record->state.pong_deadline, TimePoint{});
  const std::vector<NamedSubscription> both = {{"livechat", 77, 5}, {"news", 0, 5}};
  EXPECT_EQ(record->subscriptions, both);
  EXPECT_EQ(record->ending.phase, SessionPhase::kOpen);
}

TEST_F(SessionRecordTest, FactsAndEnding) {
  auto facts = std::make_unique<ClientFacts>();
  facts->tls_version = "TLSv1.3";
  facts->alpn = std::string("h\0x", 3);
  facts->certificate_verified = true;
  facts->certificate_name = "someone";
  session_.state.facts = std::move(facts);
  session_.state.address = {{}, 0, true};
  session_.phase = SessionPhase::kClosing;
  session_.ended_by = CloseReason::kAged;
  session_.peer_closed = session_.close_sent = session_.has_published = true;
  session_.peer_close_code = 4001;
  const auto record = decode_session(encode());
  ASSERT_TRUE(record);
  ASSERT_NE(record->state.facts, nullptr);
  EXPECT_EQ(record->state.facts->tls_version, "TLSv1.3");
  EXPECT_EQ(record->state.facts->alpn, std::string("h\0x", 3));
  EXPECT_TRUE(record->state.facts->certificate_verified);
  EXPECT_EQ(record->state.facts->certificate_name, "someone");
  EXPECT_TRUE(record->state.address.is_unix);
  EXPECT_EQ(record->ending.phase, SessionPhase::kClosing);
  EXPECT_EQ(record->ending.ended_by, CloseReason::kAged);
  EXPECT_EQ(record->ending.peer_close_code, 4001);
  EXPECT_TRUE(record->ending.peer_closed && record->ending.close_sent &&
              record->ending.has_published);
}

TEST_F(SessionRecordTest, RefusesWhatItDoesNotMake) {
  const auto good = encode();
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_FALSE(decode_session(std::span(good).first(n))) << n;
  auto longer = good;
  longer.push_back(0);
  EXPECT_FALSE(decode_session(longer));
  auto version = good;
  version[0] = 3;
  EXPECT_FALSE(decode_session(version));
  auto flags = good;
  flags[1] = 64;
  EXPECT_FALSE(decode_session(flags));
  auto phase = good;
  phase[2] = 3;
  EXPECT_FALSE(decode_session(phase));
  auto reason = good;
  reason[3] = static_cast<std::uint8_t>(CloseReason::kCount);
  EXPECT_FALSE(decode_session(reason));
  auto code = good;
  code[4] = 1;
  code[5] = 0;
  EXPECT_FALSE(decode_session(code));
  auto time = good;
  time[6 + 16 + 16 + 2 + 7] = 0xFF;  // connected_at, its highest byte
  EXPECT_FALSE(decode_session(time));
}

TEST_F(SessionRecordTest, RefusesAMillionSubscriptionsThatAreNotThere) {
  session_.state.subscriptions.clear();
  auto bytes = encode();
  const std::uint32_t many = 1000000;
  // Behind it where the stream ended, and the length of the protocol's state.
  std::memcpy(bytes.data() + bytes.size() - 16, &many, 4);
  EXPECT_FALSE(decode_session(bytes));
}

TEST_F(SessionRecordTest, RefusesChannelNamesThatCantBe) {
  session_.state.subscriptions.clear();
  subscribe("", 1);
  EXPECT_FALSE(decode_session(encode()));
  session_.state.subscriptions.clear();
  subscribe(std::string(proto::kChannelNameBytesMax + 1, 'x'), 1);
  EXPECT_FALSE(decode_session(encode()));
}

/// Keeps a text.
class KeepingProtocol final : public ClientProtocol {
 public:
  [[nodiscard]] std::string_view name() const override { return "keeping"; }
  [[nodiscard]] EncodedMessage encode(const ChannelMessage&, std::string&) const override {
    return {};
  }
  void opened(ClientSession&, const UpgradeRequest&, ProtocolActions&) const override {}
  void received(ClientSession&, proto::Bytes, bool, ProtocolActions&) const override {}
  void due(ClientSession&, ProtocolActions&) const override {}
  void publish_failed(ClientSession&, const PublishFailure&, ProtocolActions&) const override {}
  void gap(ClientSession&, const ChannelGap&, ProtocolActions&) const override {}
  void save(const ClientSession&, std::string& record) const override { record = kept; }
  std::string kept;
};

TEST_F(SessionRecordTest, WhatAProtocolKeepsAndThatItPingsItself) {
  KeepingProtocol keeping;
  keeping.kept = std::string("a\0b", 3);
  session_.protocol = &keeping;
  session_.state.protocol_pings = true;
  const auto record = decode_session(encode());
  ASSERT_TRUE(record);
  EXPECT_EQ(std::string(record->protocol_state.begin(), record->protocol_state.end()),
            keeping.kept);
  EXPECT_TRUE(record->state.protocol_pings);
  EXPECT_EQ(record->subscriptions.size(), 1U);
}

TEST_F(SessionRecordTest, AProtocolMayKeepSoMuchAndNoMore) {
  KeepingProtocol keeping;
  session_.protocol = &keeping;
  keeping.kept = std::string(kProtocolStateBytesMax, 'k');
  EXPECT_TRUE(decode_session(encode()));
  keeping.kept += 'k';
  EXPECT_TRUE(encode().empty());
  keeping.kept.clear();
  auto bytes = encode();
  const auto many = static_cast<std::uint32_t>(kProtocolStateBytesMax + 1);
  std::memcpy(bytes.data() + bytes.size() - 4, &many, 4);
  bytes.resize(bytes.size() + many);
  EXPECT_FALSE(decode_session(bytes));
}

TEST_F(SessionRecordTest, WhereOurStreamEnded) {
  session_.out.written = 1000;
  session_.outbox.push_last(FrameRun::make(Opcode::kText, "abc", {}));
  const auto record = decode_session(encode());
  ASSERT_TRUE(record);
  EXPECT_EQ(record->out_end, 1005U);
}

/// As the release before wrote it.
TEST_F(SessionRecordTest, ReadsTheVersionThatHadNoProtocolState) {
  auto bytes = encode();
  bytes.resize(bytes.size() - 12);
  EXPECT_FALSE(decode_session(bytes));
  bytes[0] = 1;
  const auto record = decode_session(bytes);
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->protocol_state.empty());
  EXPECT_EQ(record->subscriptions.size(), 1U);
}

class SessionRecorderTest : public SessionRecordTest {
 protected:
  alignas(keeper::kArenaUnit) std::array<std::byte, 1U << 20U> memory_{};
  keeper::Arena arena_{memory_};
  SessionRecorder recorder_{arena_, name_of()};
  keeper::Slot slot_;
};

TEST_F(SessionRecorderTest, OneBlockASession) {
  EXPECT_TRUE(recorder_.record(slot_, session_));
  const std::size_t used = arena_.used_bytes();
  EXPECT_GT(used, 0U);
  session_.phase = SessionPhase::kClosing;
  EXPECT_TRUE(recorder_.record(slot_, session_));
  EXPECT_EQ(arena_.used_bytes(), used);
  const auto record = decode_session(slot_.session, memory_);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->ending.phase, SessionPhase::kClosing);
  recorder_.forget(slot_);
  EXPECT_EQ(slot_.session, 0U);
  EXPECT_EQ(arena_.used_bytes(), 0U);
}

TEST_F(SessionRecorderTest, ASessionOverTheBoundIsNotRecorded) {
  EXPECT_TRUE(recorder_.record(slot_, session_));
  for (int i = 0; i < 2200; ++i) subscribe(std::string(120, 'c'), 1);
  EXPECT_FALSE(recorder_.record(slot_, session_));
  EXPECT_EQ(slot_.session, 0U);
  EXPECT_EQ(arena_.used_bytes(), 0U);
  EXPECT_EQ(recorder_.unrecorded(), 1U);
  EXPECT_FALSE(decode_session(slot_.session, memory_));
  session_.state.subscriptions.resize(1000);
  EXPECT_TRUE(recorder_.record(slot_, session_));
  EXPECT_EQ(decode_session(slot_.session, memory_)->subscriptions.size(), 1000U);
}

TEST_F(SessionRecorderTest, WithoutRoomItIsNotRecorded) {
  while (arena_.allocate(1) != 0) continue;
  EXPECT_FALSE(recorder_.record(slot_, session_));
  EXPECT_EQ(slot_.session, 0U);
}

TEST_F(SessionRecorderTest, TheSlotIsNotTrusted) {
  EXPECT_TRUE(recorder_.record(slot_, session_));
  const std::uint64_t block = slot_.session >> 32U << 32U;
  EXPECT_FALSE(decode_session(block | UINT32_MAX, memory_));
  EXPECT_FALSE(decode_session(std::uint64_t{UINT32_MAX} << 32U | 100, memory_));
  EXPECT_FALSE(decode_session(block, memory_));
}

}  // namespace
}  // namespace sluice::gateway
