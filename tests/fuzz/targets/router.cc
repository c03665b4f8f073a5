// The relay's pure core (relay/router, gateway_session, indexes, ring) between gateways that may
// say anything, correct or not, cut anywhere, and a broker that confirms, refuses, numbers messages
// and goes away. The input is a list of operations. Promises, after each:
//  - what a gateway gets is a valid conversation: link sequences +1, no message of an id before
//    SUBSCRIBED or behind UNSUBSCRIBED, and a channel's offset never skips without a GAP;
//  - a request is answered once;
//  - an answer to HISTORY is whole, or none, and does not end before what the link has carried;
//  - bounds hold, the broker's subscriptions are the channels;
//  - and when all have left, nothing is left.
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/check.h"
#include "proto/encoder.h"
#include "relay/gateway_session.h"
#include "relay/limits.h"
#include "relay/router.h"
#include "tests/fuzz/input.h"

namespace sluice::relay {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kLinks = 4;
constexpr std::size_t kChannels = 6;
constexpr std::size_t kInFlightMax = 6;
constexpr std::size_t kPayloadBytesMax = 512;

RouterOptions router_options() {
  RouterOptions o;
  o.linger = seconds(1);
  o.ring = {.messages_max = 16, .bytes_max = 4096, .age_max = seconds(3)};
  o.gateway_queue_bytes = 1024;
  o.publish_queue_bytes = 2048;
  o.gateways_max = 3;
  o.channels_max = 4;
  o.payload_bytes_max = kPayloadBytesMax;
  return o;
}

std::string channel_name(std::size_t n) {
  return "c" + std::to_string(n);
}

struct QuietWatcher final : RouterWatcher {
  void broker_connected() override {}
  void broker_away(std::string_view) override {}
  void channel_subscribed(std::string_view) override {}
  void channel_unsubscribed(std::string_view) override {}
  void continuity_lost(std::string_view, Duration) override {}
  void message_oversized(std::string_view, std::uint64_t) override {}
  void messages_lost(std::string_view, std::uint64_t) override {}
  void presence_full(std::string_view) override {}
  void gateway_overrun(std::string_view) override {}
  void gateway_forgotten(std::string_view) override {}
  void gateway_controlled(std::string_view, proto::ControlAction) override {}
  void upgrade_asked() override {}
  void drain_marks_changed() override {}
};

/// With a broker that numbers: all channels have a history.
struct FuzzPolicy final : ChannelPolicy {
  [[nodiscard]] ChannelOptions options(std::string_view) const override {
    if (!histories) return {};
    return {.history_size = 10, .history_ttl = seconds(60), .envelope = true};
  }
  bool histories = false;
};

/// Notes; the input says when it answers.
struct FuzzBroker final : Broker {
  void start(BrokerEvents&) override {}
  void subscribe(std::string_view channel, const ChannelOptions& /*options*/) override {
    CHECK(subscribed.emplace(channel).second);
  }
  void unsubscribe(std::string_view channel) override {
    CHECK(subscribed.erase(std::string(channel)) == 1);
  }
  [[nodiscard]] bool can_publish(std::size_t) const override {
    return up && in_flight.size() < kInFlightMax;
  }
  struct Question {
    std::string channel;
    proto::HistoryQuery query;
    bool presence = false;
  };
  void history(QueryId id, std::string_view channel, const proto::HistoryQuery& query,
               const ChannelOptions& options) override {
    CHECK(options.history() && !channel.empty());
    CHECK(questions.emplace(id, Question{std::string(channel), query, false}).second);
  }
  void remove_history(QueryId, std::string_view, const ChannelOptions&) override {}
  [[nodiscard]] bool update_presence(std::span<const PresenceChange> changes) override {
    CHECK(!changes.empty() && changes.size() <= kPresenceBatch);
    if (!up) return false;
    for (const PresenceChange& change : changes) {
      CHECK(!change.channel.empty() && !change.entry.client.empty());
      const std::string key = change.channel + "/" + change.entry.client;
      if (change.set) {
        present.insert(key);
      } else {
        present.erase(key);
      }
    }
    return true;
  }
  void presence(QueryId id, std::string_view channel, bool) override {
    CHECK(questions.emplace(id, Question{std::string(channel), {}, true}).second);
  }
  void publish(PublishId id, std::string_view channel, proto::Bytes payload, proto::Bytes,
               const ChannelOptions& /*options*/) override {
    CHECK(can_publish(payload.size()) && payload.size() <= kPayloadBytesMax && !channel.empty());
    if (at_once) return events->published(id, PublishOutcome::kPublished, "", std::nullopt);
    CHECK(in_flight.insert(id).second);
  }
  [[nodiscard]] std::string describe() const override { return "fuzz:"; }

  BrokerEvents* events = nullptr;
  bool up = false;
  bool at_once = false;  ///< answers from inside publish(), as `memory` does
  std::set<std::string> subscribed;
  std::set<PublishId> in_flight;
  std::map<QueryId, Question> questions;
  std::set<std::string> present;
};

/// What a gateway knows, by what came over its link. Lives on over a resume.
struct Knowledge {
  std::uint64_t instance = 0;
  std::uint64_t sequence = 0;
  std::map<std::uint32_t, proto::Position> ids;
  std::map<std::uint32_t, std::string> names;  ///< of the ids that were told
};

/// A link as its gateway sees it.
class Link final : public SessionHost {
 public:
  Link(Router& router, fuzz::Input& input) : input_(input), session_(router, *this) {}
  void wake() override {}

  void say(std::string_view bytes) {
    wire_ += bytes;
    move(input_.flag() ? wire_.size() : input_.byte());
  }
  void noise(std::string_view bytes) {
    distrust();
    say(bytes);
  }
  /// It breaks the rules from now on: what it is sent need not make sense to it.
  void distrust() { trusted_ = false; }
  [[nodiscard]] bool has(std::uint32_t id) const { return known_.ids.contains(id); }
  [[nodiscard]] proto::Position position_of(std::uint32_t id) const {
    const auto found = known_.ids.find(id);
    if (found == known_.ids.end()) return {};
    return {found->second.epoch,
            found->second.offset - std::min<std::uint64_t>(found->second.offset, 2)};
  }
  void move(std::size_t bytes) {
    while (bytes > 0 && !wire_.empty() && !session_.ending()) {
      const auto room = session_.prepare();
      const std::size_t n = std::min({room.size(), bytes, wire_.size()});
      std::copy_n(wire_.begin(), n, room.begin());
      wire_.erase(0, n);
      bytes -= n;
      session_.commit(n);
    }
  }
  void read(std::size_t bytes);
  void ask(std::uint64_t request) { asked_.insert(request); }
  void ask_history(const proto::History& asked) {
    ask(asked.request);
    histories_[asked.request] = {std::string(asked.channel), asked.query, asked.recover, 0, 0};
  }
  [[nodiscard]] std::uint64_t next_request() { return ++request_; }
  void hello(const std::string& id, Knowledge known, bool honest, bool forgotten) {
    if (said_hello_) trusted_ = false;  // a second one ends the link
    said_hello_ = true;
    known_ = std::move(known);
    id_ = id;
    honest_ = honest;
    forgotten_ = forgotten;
    if (forgotten) known_.ids.clear();
  }

  [[nodiscard]] GatewaySession& session() { return session_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  /// What it knows at the end; nothing when it can't be resumed.
  [[nodiscard]] std::optional<Knowledge> knowledge() const {
    if (!trusted_ || !welcomed_ || !honest_) return std::nullopt;
    return known_;
  }

 private:
  void handle(const proto::FrameView& frame);
  void on_welcome(const proto::Welcome& welcome);
  void on_subscribed(const proto::Subscribed& answer);
  void on_message(const proto::Message& message);
  void on_gap(const proto::Gap& gap);
  void on_history_item(const proto::HistoryItem& item);
  void on_history_end(const proto::HistoryEnd& end);
  struct AskedHistory {
    std::string channel;
    proto::HistoryQuery query;
    bool recover = false;
    std::uint64_t items = 0;
    std::uint64_t last = 0;
  };
  void answered(std::uint64_t request) {
    if (trusted_) CHECK(asked_.erase(request) == 1);
  }

  fuzz::Input& input_;
  OutputBatch batch_;
  GatewaySession session_;
  proto::Decoder decoder_;
  std::string wire_;
  std::string id_;
  Knowledge known_;
  std::multiset<std::uint64_t> asked_;
  std::map<std::uint64_t, AskedHistory> histories_;
  std::uint64_t answering_ = 0;  ///< the HISTORY whose items come
  std::uint64_t request_ = 0;
  bool said_hello_ = false;
  bool forgotten_ = false;            ///< asked to be told its subscriptions
  std::uint64_t recalled_until_ = 0;  ///< with forgotten_: of subscriptions given up before
  bool honest_ = true;                ///< said what it really had, so what comes must follow it
  bool trusted_ = true;               ///< said nothing that this model did not make
  bool welcomed_ = false;
  bool ended_ = false;
};

void Link::read(std::size_t bytes) {
  while (bytes > 0 && (!batch_.empty() || session_.fill(batch_))) {
    std::array<iovec, 5> pieces;
    const std::size_t count = batch_.pieces(pieces);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count && taken < bytes; ++i) {
      const std::size_t n = std::min(pieces[i].iov_len, bytes - taken);
      decoder_.feed({static_cast<const std::uint8_t*>(pieces[i].iov_base), n});
      taken += n;
    }
    batch_.consume(taken);
    bytes -= taken;
  }
  for (;;) {
    const auto frame = decoder_.next();
    CHECK(frame.has_value());
    if (!*frame) return;
    handle(**frame);
  }
}

void Link::handle(const proto::FrameView& frame) {
  using proto::FrameType;
  CHECK(!ended_);
  const FrameType type = frame.header.type;
  CHECK(welcomed_ || type == FrameType::kWelcome || type == FrameType::kError ||
        type == FrameType::kGoodbye);
  if (answering_ != 0 && trusted_) CHECK(type != FrameType::kMessage && type != FrameType::kGap);
  switch (type) {
    case FrameType::kHistoryItem:
      return on_history_item(proto::decode_history_item(frame).value());
    case FrameType::kHistoryEnd:
      return on_history_end(proto::decode_history_end(frame).value());
    case FrameType::kPresenceItem:
      CHECK(proto::decode_presence_item(frame).has_value());
      return;
    case FrameType::kPresenceEnd:
      return answered(proto::decode_presence_end(frame)->request);
    case FrameType::kWelcome:
      return on_welcome(proto::decode_welcome(frame).value());
    case FrameType::kSubscribed:
      return on_subscribed(proto::decode_subscribed(frame).value());
    case FrameType::kMessage:
      return on_message(proto::decode_message(frame).value());
    case FrameType::kGap:
      return on_gap(proto::decode_gap(frame).value());
    case FrameType::kUnsubscribed:
      known_.ids.erase(proto::decode_channel_only(frame).value());
      return;
    case FrameType::kPublished:
      return answered(proto::decode_sequence_only(frame).value());
    case FrameType::kError: {
      const auto error = proto::decode_error(frame).value();
      histories_.erase(error.request);
      if (error.request != 0 || !trusted_) return answered(error.request);
      ended_ = true;
      return;
    }
    case FrameType::kGoodbye:
      ended_ = true;
      return;
    case FrameType::kBrokerState:
      CHECK(proto::decode_broker_state(frame).has_value());
      return;
    default:
      CHECK(type == FrameType::kPong);
  }
}

void Link::on_welcome(const proto::Welcome& welcome) {
  CHECK(!welcomed_ && (!welcome.resumed || welcome.relay_instance == known_.instance));
  welcomed_ = true;
  CHECK(welcome.tells_all == (welcome.resumed && forgotten_));
  if (welcome.tells_all) recalled_until_ = welcome.last_sequence;
  if (welcome.resumed) return;
  honest_ = true;  // it begins afresh, whatever was claimed
  known_ = {welcome.relay_instance, welcome.last_sequence, {}, {}};
}

void Link::on_subscribed(const proto::Subscribed& answer) {
  if (answer.request != 0) answered(answer.request);
  // Told again: what has come since stands.
  known_.ids.try_emplace(answer.channel_id, answer.start);
  known_.names[answer.channel_id] = answer.channel;
}

void Link::on_history_item(const proto::HistoryItem& item) {
  const auto found = histories_.find(item.request);
  if (!trusted_ && found == histories_.end()) return;
  CHECK(found != histories_.end());
  CHECK(answering_ == 0 || answering_ == item.request || !trusted_);
  answering_ = item.request;
  AskedHistory& asked = found->second;
  ++asked.items;
  CHECK(asked.items <= asked.query.limit);
  const bool first = asked.items == 1;
  if (asked.recover) CHECK(item.offset == (first ? asked.query.since->offset : asked.last) + 1);
  if (!first && !asked.recover)
    CHECK(asked.query.reverse ? item.offset < asked.last : item.offset > asked.last);
  asked.last = item.offset;
}

void Link::on_history_end(const proto::HistoryEnd& end) {
  answering_ = 0;
  answered(end.request);
  const auto found = histories_.find(end.request);
  if (!trusted_ && found == histories_.end()) return;
  CHECK(found != histories_.end());
  const AskedHistory asked = found->second;
  histories_.erase(found);
  if (asked.recover && end.complete) {
    CHECK(end.top.epoch == asked.query.since->epoch);
    CHECK(end.top.offset == (asked.items == 0 ? asked.query.since->offset : asked.last));
  }
  if (!end.complete) CHECK(!asked.recover || asked.items == 0);
  if (!trusted_ || !honest_) return;
  for (const auto& [id, position] : known_.ids) {
    if (known_.names[id] != asked.channel || position.epoch != end.top.epoch) continue;
    CHECK(end.top.offset >= position.offset);
  }
}

void Link::on_message(const proto::Message& message) {
  if (!trusted_ || !honest_) return;
  CHECK(message.sequence == known_.sequence + 1);
  const bool may_be_unknown = known_.sequence < recalled_until_;
  known_.sequence = message.sequence;
  const auto id = known_.ids.find(message.channel_id);
  if (id == known_.ids.end() && may_be_unknown) return;
  CHECK(id != known_.ids.end());
  CHECK(id->second.epoch != 0);
  CHECK(message.offset == id->second.offset + (message.beside ? 0 : 1));
  id->second.offset = message.offset;
}

void Link::on_gap(const proto::Gap& gap) {
  if (!trusted_ || !honest_) return;
  CHECK(gap.sequence >= known_.sequence && gap.count > 0);
  const bool may_be_unknown = known_.sequence < recalled_until_;
  known_.sequence = gap.sequence;
  const auto id = known_.ids.find(gap.channel_id);
  if (id == known_.ids.end() && may_be_unknown) return;
  CHECK(id != known_.ids.end());
  const proto::Position before = std::exchange(id->second, gap.position);
  if (gap.count == proto::kCountUnknown) return;
  CHECK(gap.position.epoch == before.epoch);
  // Those beside a history are counted, and have no offset.
  CHECK(gap.position.offset >= before.offset);
  CHECK(gap.position.offset <= before.offset + gap.count);
}

class World {
 public:
  explicit World(fuzz::Input& input)
      : input_(input),
        random_(input.byte()),
        router_(router_options(), broker_, watcher_, time_, random_, &policy_) {
    broker_.events = &router_;
    broker_.at_once = input.flag();
    numbered_ = policy_.histories = input.flag();
  }

  void run() {
    while (!input_.empty()) {
      operate();
      check();
    }
    finish();
  }

 private:
  void operate();
  void open(std::size_t n);
  void drop(std::size_t n);
  void say(Link& link);
  void say_hello(Link& link);
  void broker_event();
  void broker_message();
  void outcome();
  void answer_question();
  [[nodiscard]] proto::Position& number_of(const std::string& channel);
  void say_presence(std::string& out, const std::string& channel);
  void check() const;
  void finish();

  fuzz::Input& input_;
  ManualTime time_;
  SeededRandom random_;
  QuietWatcher watcher_;
  FuzzPolicy policy_;
  FuzzBroker broker_;
  Router router_;
  std::array<std::unique_ptr<Link>, kLinks> links_;
  std::map<std::string, Knowledge> known_;  ///< by gateway id
  bool numbered_ = false;                   ///< the broker numbers its messages
  std::map<std::string, proto::Position> numbers_;
};

void World::operate() {
  const std::size_t n = input_.below(kLinks);
  const std::size_t what = input_.below(16);
  Link* link = links_[n].get();
  if (what == 0) return drop(n);
  if (what <= 4) return broker_event();
  if (what == 5) {
    if (input_.flag()) return router_.work();
    time_.advance(milliseconds(input_.byte() * 8));
    return router_.tick();
  }
  if (link == nullptr) return open(n);
  if (what == 6) return link->noise(input_.text());
  if (what == 7) return link->move(input_.byte());
  if (what <= 10) return link->read(input_.byte() * std::size_t{8});
  if (what == 11 && input_.below(32) == 0) return link->session().finish("fuzz");
  if (what == 11 && input_.below(32) == 1)
    return link->session().refuse_link(proto::ErrorReason::kMalformed, "fuzz");
  if (what == 11 && input_.below(64) == 2) return router_.shut_down();
  say(*link);
}

void World::open(std::size_t n) {
  links_[n] = std::make_unique<Link>(router_, input_);
  say_hello(*links_[n]);
}

void World::drop(std::size_t n) {
  if (!links_[n]) return;
  const std::string id = links_[n]->id();
  const auto known = links_[n]->knowledge();
  const bool was_open = links_[n]->session().open();
  links_[n].reset();
  if (!was_open) return;
  known_.erase(id);
  if (known) known_[id] = *known;
}

void World::say_hello(Link& link) {
  const std::string id = "g" + std::to_string(input_.below(5));
  const auto known = known_.find(id);
  Knowledge knowledge = known == known_.end() ? Knowledge{} : known->second;
  proto::Hello hello{.resume = input_.flag(), .gateway_id = id, .software = "fuzz"};
  bool honest = known != known_.end();
  hello.relay_instance = knowledge.instance;
  hello.last_sequence = knowledge.sequence;
  if (input_.below(8) == 0) {  // a liar: what it is sent then need not follow what it had
    honest = false;
    hello.relay_instance = router_.instance();
    hello.last_sequence = input_.byte();
    knowledge.instance = router_.instance();
  }
  // Its processes know the sequence and no more.
  hello.forgotten = id == "g3" || id == "g4";
  link.hello(id, std::move(knowledge), honest, hello.forgotten);
  std::string out;
  proto::encode(out, hello);
  link.say(out);
}

void World::say(Link& link) {
  std::string out;
  const std::string channel = channel_name(input_.below(kChannels));
  const auto id = static_cast<std::uint32_t>(1 + input_.below(5));
  switch (input_.below(12)) {
    case 8:
    case 9: {
      proto::History asked{.request = link.next_request(),
                           .recover = input_.flag(),
                           .query = {.since = {}, .limit = 0, .reverse = false},
                           .channel = channel};
      asked.query.limit = static_cast<std::uint32_t>(input_.below(12));
      if (asked.recover || input_.flag())
        asked.query.since = proto::Position{input_.below(3), input_.below(12)};
      // From where it is: else the epochs of the router itself are never met.
      if (asked.recover && input_.flag()) asked.query.since = link.position_of(id);
      asked.query.reverse = !asked.recover && input_.flag();
      link.ask_history(asked);
      proto::encode(out, asked);
      break;
    }
    case 10: {
      const std::uint64_t request = link.next_request();
      link.ask(request);
      proto::encode(out, proto::Presence{
                             .request = request, .counts_only = input_.flag(), .channel = channel});
      break;
    }
    case 11:
      say_presence(out, channel);
      break;
    case 0:
    case 1: {
      const std::uint64_t request = link.next_request();
      link.ask(request);
      proto::encode(out, proto::Subscribe{.request = request,
                                          .from_position = input_.flag(),
                                          .position = {input_.below(3), input_.below(8)},
                                          .channel = channel});
      break;
    }
    case 2:
      // An id that it was never given: the answer may come behind the SUBSCRIBED that gives it.
      if (!link.has(id)) {
        if (input_.below(16) != 0) return;
        link.distrust();
      }
      proto::encode_unsubscribe(out, id);
      break;
    case 3:
    case 4:
    case 5: {
      const std::string payload(input_.byte() * std::size_t{3}, 'p');
      const bool acknowledge = input_.below(4) != 0;
      const std::uint64_t request = link.next_request();
      if (acknowledge) link.ask(request);
      proto::encode(out, proto::Publish{.request = request,
                                        .acknowledge = acknowledge,
                                        .channel_id = input_.flag() ? id : 0,
                                        .channel = channel,
                                        .wait_ms = static_cast<std::uint32_t>(input_.integer(2)),
                                        .payload = proto::as_bytes(payload),
                                        .meta = {}});
      break;
    }
    case 6:
      proto::encode_ping(out, input_.byte());
      break;
    default:
      if (input_.below(16) != 0) return;
      proto::encode(out, proto::Goodbye{.reason = {}, .text = "fuzz"});
  }
  link.say(out);
}

void World::say_presence(std::string& out, const std::string& channel) {
  const std::string client = "c" + std::to_string(input_.below(4));
  switch (input_.below(4)) {
    case 0:
      return proto::encode(out, proto::PresenceClear{.channel = channel, .client = client});
    case 1:
      return proto::encode_presence_synced(out);
    default:
      return proto::encode(out,
                           proto::PresenceSet{.channel = channel, .client = client, .user = "u"});
  }
}

proto::Position& World::number_of(const std::string& channel) {
  proto::Position& number = numbers_[channel];
  if (number.epoch == 0) number.epoch = 1;
  return number;
}

void World::answer_question() {
  if (broker_.questions.empty()) return;
  const auto which = std::next(broker_.questions.begin(),
                               static_cast<std::ptrdiff_t>(input_.below(
                                   std::min<std::size_t>(broker_.questions.size(), 256))));
  const QueryId id = which->first;
  const FuzzBroker::Question question = which->second;
  broker_.questions.erase(which);
  const std::string error = input_.below(8) == 0 ? "fuzz" : "";
  if (question.presence) {
    return router_.presence(
        id, {.error = error,
             .clients = static_cast<std::uint32_t>(input_.byte()),
             .users = 1,
             .entries = {{input_.text(), "u", ""}, {"c", "u", std::string(5000, 'x')}}});
  }
  HistoryAnswer answer{.error = error, .top = number_of(question.channel), .publications = {}};
  // The history, or part of it, or what a broker should not say.
  const std::uint64_t oldest = answer.top.offset - std::min<std::uint64_t>(answer.top.offset, 10);
  const auto& since = question.query.since;
  const bool behind = since && since->epoch == answer.top.epoch && !question.query.reverse;
  std::uint64_t offset = behind ? std::max(oldest, since->offset) : oldest;
  const std::size_t skip = input_.below(16);
  while (++offset <= answer.top.offset && answer.publications.size() < question.query.limit) {
    if (skip == 0 && offset == oldest + 2) continue;
    answer.publications.push_back({offset, "h", skip == 1 ? std::string(5000, 'm') : ""});
  }
  if (question.query.reverse) std::reverse(answer.publications.begin(), answer.publications.end());
  router_.history(id, std::move(answer));
}

void World::broker_event() {
  const std::string channel = channel_name(input_.below(kChannels));
  switch (input_.below(16)) {
    case 12:
    case 13:
      return answer_question();
    case 14: {
      if (!numbered_) return;
      proto::Position& number = number_of(channel);
      if (input_.flag()) number = {number.epoch + 1, 0};
      number.offset += input_.below(4);
      return router_.position_lost(channel, number);
    }
    case 0:
      broker_.up = true;
      return router_.broker_connected();
    case 1:
      // Its publishes are of unknown fate.
      for (const PublishId id : std::exchange(broker_.in_flight, {}))
        router_.published(id, PublishOutcome::kUnknownFate, "lost");
      broker_.up = false;
      return router_.broker_away("fuzz");
    case 2:
    case 3:
    case 4: {
      std::optional<Duration> uncovered;
      if (input_.flag()) uncovered = milliseconds(input_.byte());
      std::optional<proto::Position> position;
      if (numbered_) position = number_of(channel);
      return router_.subscribed(channel, uncovered, position);
    }
    case 5:
    case 6:
      return outcome();
    default:
      return broker_message();
  }
}

void World::broker_message() {
  static const std::vector<std::uint8_t> oversized(proto::kPayloadBytesMax + 1);
  const std::string channel = channel_name(input_.below(kChannels));
  const std::string payload(input_.byte() * std::size_t{5}, 'm');
  const std::string meta(input_.below(20), 'x');
  const bool too_large = input_.below(32) == 0;
  std::optional<proto::Position> position;
  // Some stand beside the history.
  if (numbered_ && payload.size() % 8 != 5) {
    proto::Position& number = number_of(channel);
    const std::size_t jump = input_.below(16);
    if (jump == 0) number = {number.epoch + 1, 0};
    number.offset += jump == 1 ? 3 : 1;
    position = number;
  }
  router_.message(channel, too_large ? proto::Bytes(oversized) : proto::as_bytes(payload),
                  proto::as_bytes(meta), position);
}

void World::outcome() {
  if (broker_.in_flight.empty()) return;
  const auto which = std::next(broker_.in_flight.begin(),
                               static_cast<std::ptrdiff_t>(input_.below(broker_.in_flight.size())));
  const PublishId id = *which;
  broker_.in_flight.erase(which);
  router_.published(id, static_cast<PublishOutcome>(input_.below(3)), "fuzz");
}

void World::check() const {
  const RouterOptions& o = router_.options();
  constexpr std::size_t kPayloadAndMeta = 255 * 5 + 20;
  constexpr std::size_t kLargest = proto::kHeaderBytes + kPayloadAndMeta;
  CHECK(router_.queue_bytes() <= router_.gateways() * (o.gateway_queue_bytes + kLargest));
  CHECK(router_.ring().messages() <= o.ring.messages_max);
  CHECK(router_.ring().messages() <= 1 || router_.ring().bytes() <= o.ring.bytes_max);
  CHECK(router_.hold().bytes() <= o.publish_queue_bytes);
  CHECK(router_.channels() <= o.channels_max && router_.gateways() <= o.gateways_max);
  CHECK(router_.subscriptions() <= router_.channels() * router_.gateways());
  CHECK(broker_.subscribed.size() == router_.channels());
  CHECK(router_.publishes_in_flight() == broker_.in_flight.size());
  CHECK(router_.queries_in_flight() == broker_.questions.size());
  CHECK(router_.queries_in_flight() <= kBrokerQueriesMax);
  std::size_t open = 0;
  for (const auto& link : links_) open += link && link->session().open() ? 1U : 0U;
  CHECK(router_.links() == open);
}

void World::finish() {
  for (std::size_t n = 0; n < kLinks; ++n) {
    if (links_[n]) links_[n]->read(SIZE_MAX);
    drop(n);
  }
  for (const PublishId id : std::exchange(broker_.in_flight, {}))
    router_.published(id, PublishOutcome::kUnknownFate, "lost");
  for (const auto& [id, question] : std::exchange(broker_.questions, {})) {
    if (question.presence) {
      router_.presence(id, {});
    } else {
      router_.history(id, {});
    }
  }
  broker_.up = true;
  time_.advance(kPublishWaitMax + router_.options().ring.age_max + router_.options().linger);
  router_.tick();
  router_.tick();  // what is cleared leaves
  check();
  CHECK(router_.requests() == 0 && router_.queries_in_flight() == 0);
  CHECK(router_.presence_entries() == 0 && router_.presence_leaving() == 0);
  CHECK(router_.channels() == 0 && router_.subscriptions() == 0 && broker_.subscribed.empty());
  CHECK(router_.gateways() == 0 && router_.links() == 0 && router_.queue_bytes() == 0);
  CHECK(router_.hold().empty() && router_.hold().bytes() == 0);
  CHECK(router_.publishes_in_flight() == 0);
  CHECK(router_.ring().messages() == 0 && router_.ring().bytes() == 0);
}

}  // namespace
}  // namespace sluice::relay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Operations: more of them say nothing new.
  constexpr std::size_t kBytesMax = 4096;
  if (size > kBytesMax) return 0;
  sluice::fuzz::Input input(data, size);
  sluice::relay::World(input).run();
  return 0;
}
