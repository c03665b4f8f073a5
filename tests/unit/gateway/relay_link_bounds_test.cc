// What a relay can make a gateway keep is bounded, whatever it says.
#include <gtest/gtest.h>

#include <string>

#include "gateway/limits.h"
#include "gateway/relay_link.h"
#include "proto/encoder.h"

namespace sluice::gateway {
namespace {

constexpr std::size_t kChannelsMax = 10;

class QuietHub final : public RelayLinkEvents {
 public:
  void link_state(bool) override {}
  void broker_state(bool, std::string_view) override {}
  void channel_message(std::uint32_t, const proto::Message&) override {}
  void channel_gap(std::uint32_t, const ChannelGap&) override {}
  void channel_subscribed(std::uint32_t, proto::Position, bool) override {}
  void channel_refused(std::uint32_t, std::string_view) override {}
  void published(const PublishOrigin&) override {}
  void publish_failed(const PublishOrigin&, proto::ErrorReason) override {}
};

class RelayLinkBounds : public testing::Test {
 protected:
  RelayLinkBounds()
      : link_({.gateway_id = "1111",
               .publish_wait = std::chrono::seconds(1),
               .publish_queue_bytes = 1000,
               .channels_max = kChannelsMax},
              hub_, time_) {
    welcome();
  }
  void welcome() {
    link_.connected();
    std::string in;
    proto::encode(in, proto::Welcome{.relay_instance = 7, .software = "test"});
    EXPECT_TRUE(give(in));
  }
  Result<void> give(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto room = link_.prepare();
      const std::size_t n = std::min(room.size(), bytes.size());
      std::copy_n(bytes.begin(), n, room.begin());
      bytes.remove_prefix(n);
      if (auto handled = link_.commit(n); !handled) return handled;
    }
    return {};
  }

  ManualTime time_;
  QuietHub hub_;
  RelayLink link_;
};

TEST_F(RelayLinkBounds, ARelayThatAsksWithoutReadingIsGivenUp) {
  std::string pings;
  for (std::size_t i = 0; i < 1000; ++i) proto::encode_ping(pings, i);
  std::size_t given = 0;
  constexpr std::size_t kBound = kLinkOutputHighBytes + kLinkControlBytesMax +
                                 2 * (proto::kHeaderBytes + proto::kBodyBytesMax);
  while (give(pings)) {
    given += pings.size();
    ASSERT_LE(given, kBound);
  }
  EXPECT_LE(link_.output().size(), kBound);
  EXPECT_GT(given, kLinkControlBytesMax);
}

TEST_F(RelayLinkBounds, ARelayThatReadsMayAskForEver) {
  std::string pings;
  for (std::size_t i = 0; i < 1000; ++i) proto::encode_ping(pings, i);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(give(pings));
    link_.sent(link_.output().size());
  }
}

TEST_F(RelayLinkBounds, ARelayThatNeverConfirmsWhatIsGivenUpStartsAfresh) {
  std::string in;
  std::uint32_t id = 1;
  for (;; ++id) {
    in.clear();
    proto::encode(in, proto::Subscribed{.channel_id = id, .start = {1, 0}, .channel = "unwanted"});
    const auto handled = give(in);
    link_.sent(link_.output().size());
    if (!handled) break;
    ASSERT_LE(id, kLeavingChannelsMax + kChannelsMax);
  }
  EXPECT_EQ(id, kLeavingChannelsMax + kChannelsMax + 1);
  // Afresh: no wish to resume, and after WELCOME nothing is remembered of the ids.
  link_.disconnected();
  link_.connected();
  proto::Decoder decoder;
  decoder.feed(proto::as_bytes(link_.output()));
  EXPECT_FALSE(proto::decode_hello(*decoder.next().value()).value().resume);
  link_.disconnected();
  welcome();
  EXPECT_TRUE(give(in));
}

}  // namespace
}  // namespace sluice::gateway
