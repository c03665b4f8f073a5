// What is heard on a channel with history (relay/brokers/redis_envelope, redis_channels,
// redis_continuity). Promises:
//  - an envelope that is read, written again, is the same bytes;
//  - a name is read back to the channel that it was made of;
//  - whatever is heard and answered, in whatever order: what is told of a channel has offsets of +1
//    each within an epoch, but behind a loss, and what is held stays within its bounds.
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "common/check.h"
#include "proto/names.h"
#include "relay/brokers/redis_channels.h"
#include "relay/brokers/redis_envelope.h"
#include "relay/brokers/redis_keys.h"
#include "relay/brokers/redis_limits.h"
#include "tests/fuzz/input.h"

namespace sluice::relay {
namespace {

void read_one(std::string_view bytes) {
  const auto envelope = read_envelope(proto::as_bytes(bytes));
  if (!envelope) return;
  CHECK(envelope->meta.size() <= proto::kMetaBytesMax);
  CHECK(!envelope->position || (envelope->position->epoch != 0 && envelope->position->offset != 0));
  CHECK(make_envelope(envelope->position, envelope->meta, envelope->payload) == bytes);
}

void read_name(std::string_view name) {
  std::string text;
  const HeardChannel heard = heard_channel(name, text);
  if (heard.name.empty()) return;
  const std::string again = redis_channel(heard.name, heard.envelope);
  // What begins like an internal name of the link is one of Redis' raw names, and no channel.
  CHECK(again == name || proto::is_internal(heard.name));
}

/// Who asks and who is told.
class Listener final : public RedisAsker, public BrokerEvents {
 public:
  struct Question {
    RedisAsk ask = 0;
    bool fetch = false;
  };
  std::deque<Question> questions;
  std::optional<proto::Position> at;

  void ask_position(RedisAsk ask, std::string_view, const ChannelOptions&,
                    std::optional<proto::Position>) override {
    questions.push_back({ask, false});
  }
  void ask_missing(RedisAsk ask, std::string_view, const ChannelOptions&,
                   proto::Position) override {
    questions.push_back({ask, true});
  }
  void caught_up() override {}
  void broker_connected() override {}
  void broker_away(std::string_view) override {}
  void subscribed(std::string_view, std::optional<Duration>,
                  std::optional<proto::Position> position) override {
    CHECK(position.has_value() && (!at || *at == *position));
    at = position;
  }
  void message(std::string_view, proto::Bytes, proto::Bytes,
               std::optional<proto::Position> position) override {
    if (!position) return;
    CHECK(at.has_value() && position->epoch == at->epoch && position->offset == at->offset + 1);
    at = position;
  }
  void message(std::string_view, EntryDraft) override {}
  void message_oversized(std::string_view, std::uint64_t) override {}
  void position_lost(std::string_view, proto::Position position) override {
    CHECK(at.has_value() && position != *at);
    at = position;
  }
  void published(PublishId, PublishOutcome, std::string_view,
                 std::optional<proto::Position>) override {}
  void history(QueryId, HistoryAnswer) override {}
  void presence(QueryId, PresenceAnswer) override {}
};

class Channel {
 public:
  Channel() {
    channels_.start(listener_);
    name_ = channels_.add("c", kOptions).back();
  }

  void run(fuzz::Input& input) {
    RedisContinuity& continuity = channels_.continuity();
    while (!input.empty()) {
      switch (input.byte() % 10) {
        case 0:
          channels_.confirmed(name_, std::nullopt);
          break;
        case 1:
          channels_.subscriber_lost();
          break;
        case 2:
          continuity.set_usable(usable_ = !usable_);
          break;
        case 3:
          fail(input.byte() % 2 == 0);
          break;
        case 4:
          continuity.retry();
          break;
        case 5:
          continuity.begin_restore();
          break;
        case 6:
          channels_.heard(name_, proto::as_bytes("no envelope"));
          break;
        case 7:
          answer(input);
          break;
        default:
          hear(input);
      }
      CHECK(continuity.held_bytes() <= kHeldChannelBytesMax);
    }
    (void)channels_.remove("c");
    CHECK(continuity.held_bytes() == 0 && continuity.restored());
  }

 private:
  static constexpr ChannelOptions kOptions{
      .history_size = 9, .history_ttl = std::chrono::minutes(1), .envelope = false};

  static proto::Position position(fuzz::Input& input) {
    const std::uint8_t byte = input.byte();
    return {1U + byte % 3U, byte / 3U % 20U};
  }
  void hear(fuzz::Input& input) {
    proto::Position at = position(input);
    ++at.offset;
    const std::string bytes = make_envelope(at, {}, proto::as_bytes("x"));
    channels_.heard(name_, proto::as_bytes(bytes));
  }
  void fail(bool again) {
    if (listener_.questions.empty()) return;
    const Listener::Question one = listener_.questions.front();
    listener_.questions.pop_front();
    channels_.continuity().failed("c", one.ask, again);
  }
  void answer(fuzz::Input& input) {
    if (listener_.questions.empty()) return;
    const Listener::Question one = listener_.questions.front();
    listener_.questions.pop_front();
    proto::Position top = position(input);
    if (!one.fetch) return channels_.continuity().position("c", one.ask, top);
    if (input.byte() % 8 == 0) top = {};
    // As read_history() promises: in order, none above the top, none without an offset.
    std::vector<HistoryPublication> publications;
    for (std::uint64_t offset = 1; offset <= top.offset; ++offset) {
      if (input.byte() % 3 != 0) publications.push_back({offset, "x", {}});
    }
    channels_.continuity().missing("c", one.ask, top, publications);
  }

  Listener listener_;
  RedisChannels channels_{listener_};
  std::string name_;
  bool usable_ = false;
};

}  // namespace
}  // namespace sluice::relay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  fuzz::Input input(data, size);
  switch (input.byte() % 3) {
    case 0:
      relay::read_one(fuzz::as_text(input.rest()));
      break;
    case 1:
      relay::read_name(fuzz::as_text(input.rest()));
      break;
    default:
      relay::Channel().run(input);
  }
  return 0;
}
