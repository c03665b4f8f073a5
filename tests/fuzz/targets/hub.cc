// The gateway's pure core (gateway/hub, relay_link) between clients and a relay that may say
// anything, correct or not, cut anywhere. The input is a list of operations. Promises, after each:
//  - a message goes to all subscribers of its channel, to each once, in the link's order, whatever
//    comes and goes while it is on its way;
//  - who joins a channel is answered once, unless it leaves or ends; is given nothing of it before;
//  from
//    there on gets all that the link carries; and where it is told that it has recovered, that is
//    all between its position and that one;
//  - a question is answered once;
//  - a publish has one outcome or is pending; what is held and what waits for the relay is bounded;
//  - what the link says is a valid conversation (PROTOCOL.md);
//  - and when all have left, nothing is left.
#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/check.h"
#include "gateway/hub.h"
#include "gateway/limits.h"
#include "gateway/protocols/plain.h"
#include "proto/encoder.h"
#include "tests/fuzz/input.h"
#include "tests/support/frames.h"

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kClientsMax = 24;
constexpr std::size_t kChannelsMax = 4;
constexpr std::size_t kHoldBytes = 2000;
constexpr Duration kPublishWait = seconds(2);

/// Given up by then.
constexpr std::size_t kOutputBytesMax = kLinkOutputHighBytes + 2 * proto::kPayloadBytesMax;

std::string channel_name(std::size_t n) {
  return "c" + std::to_string(n);
}

/// What clients that join have asked for, by session slot, and what became of it.
struct Joining {
  struct Client {
    std::map<std::string, JoinRequest> waiting{};
    std::set<Ticket> asked{};
    std::set<std::string> joined{};
  };
  std::map<std::uint32_t, Client> clients{};
  Ticket tickets = 0;
};

class JoiningProtocol final : public ClientProtocol {
 public:
  JoiningProtocol(fuzz::Input& input, Joining& all) : input_(input), all_(all) {}

  [[nodiscard]] std::string_view name() const override { return "joining"; }
  [[nodiscard]] EncodedMessage encode(const ChannelMessage& message, std::string&) const override {
    return {Opcode::kText, {}, message.payload};
  }
  void opened(ClientSession& session, const UpgradeRequest&, ProtocolActions&) const override {
    CHECK(all_.clients.try_emplace(session.ref.index).second);
  }
  void received(ClientSession& session, proto::Bytes payload, bool,
                ProtocolActions& actions) const override {
    const PublishRequest publish{.channel = "c0", .payload = payload, .ticket = kAnyTicket};
    if (!actions.publish(session, publish)) actions.close(session, CloseCode::kTryAgainLater, "");
  }
  void due(ClientSession&, ProtocolActions&) const override {}
  void publish_failed(ClientSession&, const PublishFailure&, ProtocolActions&) const override {}
  void gap(ClientSession& session, const ChannelGap& gap, ProtocolActions& actions) const override {
    CHECK(client(session).joined.contains(std::string(gap.channel)));
    if (input_.flag()) return;
    const std::string name(gap.channel);
    actions.leave(session, gap.channel);
    client(session).joined.erase(name);
  }
  void joined(ClientSession& session, Ticket ticket, const Joined& joined,
              ProtocolActions& actions) const override {
    CHECK(session.phase == SessionPhase::kOpen);
    const std::string name(actions.channel_name(joined.channel));
    const auto asked = client(session).waiting.find(name);
    CHECK(asked != client(session).waiting.end() && asked->second.ticket == ticket);
    std::uint64_t next = asked->second.since ? asked->second.since->offset : 0;
    CHECK(joined.recovered || joined.publications.empty());
    for (const PublicationView& one : joined.publications) CHECK(one.offset == ++next);
    CHECK(!joined.recovered || next == joined.position.offset);
    CHECK(joined.position.epoch != 0);
    client(session).waiting.erase(asked);
    CHECK(client(session).joined.insert(name).second);
    if (input_.flag())
      actions.set_presence(session, {.channel = name, .client = "id", .user = "u", .info = {}});
  }
  void history(ClientSession& session, Ticket ticket, const HistoryFound&,
               ProtocolActions&) const override {
    CHECK(client(session).asked.erase(ticket) == 1);
  }
  void presence(ClientSession& session, Ticket ticket, const PresenceFound&,
                ProtocolActions&) const override {
    CHECK(client(session).asked.erase(ticket) == 1);
  }
  void request_failed(ClientSession& session, Ticket ticket, proto::ErrorReason,
                      ProtocolActions&) const override {
    CHECK(session.phase == SessionPhase::kOpen);
    const std::size_t joins = std::erase_if(
        client(session).waiting, [&](const auto& one) { return one.second.ticket == ticket; });
    CHECK(client(session).asked.erase(ticket) + joins == 1);
  }
  void closed(ClientSession& session, ProtocolActions&) const override {
    CHECK(all_.clients.contains(session.ref.index));
  }

 private:
  [[nodiscard]] Joining::Client& client(const ClientSession& session) const {
    return all_.clients.at(session.ref.index);
  }
  fuzz::Input& input_;
  Joining& all_;
};

class World final : public Delivery, public HubObserver, public RelayLinkEvents {
 public:
  explicit World(fuzz::Input& input)
      : input_(input),
        protocols_{PlainProtocol({.tag = "1:", .on_gap = OnGap::kIgnore}, time_),
                   PlainProtocol({.tag = "", .on_gap = OnGap::kClose}, time_)},
        joining_protocol_(input, joining_),
        hub_({.channels_max = kChannelsMax}, sessions_, *this, *this),
        link_({.gateway_id = "g",
               .publish_wait = kPublishWait,
               .publish_queue_bytes = kHoldBytes,
               .channels_max = kChannelsMax},
              *this, time_) {
    hub_.attach(link_);
  }

  void run() {
    while (!input_.empty()) {
      operate();
      closing_wait_for_nothing();
      check();
    }
    finish();
  }

  // Delivery.
  void deliver(ClientSession&, FrameRef) override { CHECK(false); }  // there is no greeting
  void deliver_due(ClientSession& session, std::span<const RunView> due) override;
  void queue_due(ClientSession& session, std::span<const RunView> due) override {
    deliver_due(session, due);
  }
  void end_slice() override {}
  void close(ClientSession& session, CloseCode, const char* reason) override {
    CHECK(sessions_.find(session.ref) == &session);
    CHECK(std::string_view(reason).size() <= kCloseReasonBytesMax);
    if (session.phase != SessionPhase::kOpen) return;
    session.phase = SessionPhase::kClosing;
  }
  // HubObserver.
  void broker_state(bool, std::string_view) override {}
  void channel_gap(const ChannelGap& gap) override { CHECK(members(gap.channel) > 0); }
  void channel_subscribed(std::string_view channel) override {
    CHECK(members(channel) + waiting(channel) > 0);
  }
  void channel_refused(std::string_view channel, std::string_view) override {
    CHECK(members(channel) + waiting(channel) > 0);
  }
  void message_given(std::uint32_t) override {}
  // RelayLinkEvents: the Hub's, and what they mean for the clients.
  void link_begins(std::uint64_t relay_instance, std::uint64_t last_sequence,
                   bool resumed) override {
    hub_.link_begins(relay_instance, last_sequence, resumed);
  }
  void channel_message(std::uint32_t channel, const proto::Message& message) override;
  void channel_gap(std::uint32_t channel, const ChannelGap& gap) override {
    hub_.channel_gap(channel, gap);
  }
  void channel_subscribed(std::uint32_t channel, proto::Position start, bool history) override {
    hub_.channel_subscribed(channel, start, history);
  }
  void channel_refused(std::uint32_t channel, std::string_view reason) override {
    hub_.channel_refused(channel, reason);
  }
  void published(const PublishOrigin& origin) override { hub_.published(origin); }
  void publish_failed(const PublishOrigin& origin, proto::ErrorReason reason) override {
    hub_.publish_failed(origin, reason);
  }
  /// The Hub's, and the Hub's observer's.
  void link_state(bool up) override {
    if (std::exchange(in_link_state_, true)) return;
    hub_.link_state(up);
    in_link_state_ = false;
  }
  void history(RequestId request, const HistoryAnswer& answer) override {
    hub_.history(request, answer);
  }
  void presence(RequestId request, const PresenceFound& found) override {
    hub_.presence(request, found);
  }
  void request_failed(RequestId request, proto::ErrorReason reason) override {
    hub_.request_failed(request, reason);
  }

 private:
  void operate();
  void open_client();
  void joining_client_acts();
  /// Of a client that is being closed a join ends without a word, now or later: here it is now.
  void closing_wait_for_nothing();
  void join_or_leave(ClientSession& session, Joining::Client& client);
  void close_client(std::size_t n);
  void client_sends();
  void connect();
  void lose();
  void relay_reads(std::size_t bytes);
  void relay_says();
  void relay_says_noise();
  void feed(std::size_t bytes);
  std::string relay_frame();
  void check_output();
  void check() const;
  void finish();

  [[nodiscard]] std::size_t members(std::string_view channel) const {
    return static_cast<std::size_t>(
        std::count_if(channel_of_.begin(), channel_of_.end(),
                      [&](const auto& one) { return one.second == channel; }) +
        std::count_if(joining_.clients.begin(), joining_.clients.end(), [&](const auto& one) {
          return one.second.joined.contains(std::string(channel));
        }));
  }
  [[nodiscard]] std::size_t waiting(std::string_view channel) const {
    return static_cast<std::size_t>(std::count_if(
        joining_.clients.begin(), joining_.clients.end(),
        [&](const auto& one) { return one.second.waiting.contains(std::string(channel)); }));
  }
  [[nodiscard]] std::set<std::string> channels() const {
    std::set<std::string> all;
    for (const auto& [slot, channel] : channel_of_) all.insert(channel);
    for (const auto& [slot, client] : joining_.clients) {
      all.insert(client.joined.begin(), client.joined.end());
      for (const auto& [channel, join] : client.waiting) all.insert(channel);
    }
    return all;
  }
  /// A number that is sometimes the right one.
  std::uint64_t near(std::uint64_t right) {
    const std::uint8_t how = input_.byte();
    return how < 200 ? right : how - 200U;
  }
  std::uint32_t id() { return static_cast<std::uint32_t>(input_.below(6)); }

  fuzz::Input& input_;
  ManualTime time_;
  SessionTable sessions_;
  PlainProtocol protocols_[2];
  Joining joining_;
  JoiningProtocol joining_protocol_;
  Hub hub_;
  RelayLink link_;
  std::vector<ClientRef> clients_;
  std::map<std::uint32_t, std::string> channel_of_;            ///< by session slot
  std::map<std::uint32_t, std::deque<std::string>> expected_;  ///< likewise: what it is due
  std::uint64_t said_ = 0;                                     ///< messages of the relay
  std::uint64_t published_ = 0;                                ///< by clients
  bool connected_ = false;
  bool in_link_state_ = false;
  std::string wire_;  ///< said by the relay, not yet read by the link
  proto::Decoder reader_;
  std::size_t frames_read_ = 0;
  std::uint64_t last_request_ = 0;  ///< of a PUBLISH
  std::uint64_t last_question_ = 0;
  std::uint64_t next_item_ = 0;
};

void World::operate() {
  switch (input_.below(22)) {
    case 0:
    case 1:
      return open_client();
    case 2:
      if (!clients_.empty()) close_client(input_.below(clients_.size()));
      return;
    case 3:
    case 4:
      return client_sends();
    case 5:
      return connect();
    case 6:
      return lose();
    case 7:
    case 8:
      return relay_reads(input_.byte() * std::size_t{16});
    case 9:
      time_.advance(milliseconds(input_.byte() * 10));
      if (const auto alive = link_.tick(); !alive) lose();
      CHECK(link_.output().size() <= kOutputBytesMax);
      return;
    case 10:
      return relay_says_noise();
    case 11:
      return feed(input_.byte());
    case 12:
      hub_.work();
      hub_.fan_out(1 + input_.below(4));
      return;
    case 13:
    case 14:
    case 15:
    case 16:
      return joining_client_acts();
    default:
      return relay_says();
  }
}

void World::open_client() {
  if (clients_.size() >= kClientsMax) return;
  ClientSession& session = sessions_.add();
  session.protocol = &protocols_[input_.below(2)];
  const std::string channel = channel_name(input_.below(kChannelsMax + 2));
  clients_.push_back(session.ref);
  if (input_.flag()) {
    session.protocol = &joining_protocol_;
    return hub_.opened(session, channel);
  }
  const bool room = channels().contains(channel) || hub_.channels() < kChannelsMax;
  if (room) channel_of_[session.ref.index] = channel;
  hub_.opened(session, channel);
  CHECK(room == (session.phase == SessionPhase::kOpen));
}

void World::joining_client_acts() {
  if (joining_.clients.empty()) return;
  auto chosen = joining_.clients.begin();
  std::advance(chosen, input_.below(joining_.clients.size()));
  ClientSession& session = *sessions_.at(chosen->first);
  if (session.phase != SessionPhase::kOpen) return;
  const std::string channel = channel_name(input_.below(kChannelsMax + 2));
  const std::uint8_t what = input_.byte();
  if (what < 200) return join_or_leave(session, chosen->second);
  const Ticket ticket = ++joining_.tickets;
  const bool asked = what < 230 ? hub_.ask_history(session, ticket, channel, {})
                                : hub_.ask_presence(session, ticket, channel, input_.flag());
  CHECK(!asked || chosen->second.asked.insert(ticket).second);
}

void World::closing_wait_for_nothing() {
  for (auto& [slot, client] : joining_.clients) {
    ClientSession& session = *sessions_.at(slot);
    if (session.phase == SessionPhase::kOpen) continue;
    for (const auto& [channel, join] : std::exchange(client.waiting, {}))
      hub_.leave(session, channel);
  }
}

void World::join_or_leave(ClientSession& session, Joining::Client& client) {
  const std::string channel = channel_name(input_.below(kChannelsMax + 2));
  if (client.joined.contains(channel) || client.waiting.contains(channel)) {
    hub_.leave(session, channel);
    // All that was due went out first.
    CHECK(client.waiting.erase(channel) == 1 || expected_[session.ref.index].empty());
    client.joined.erase(channel);
    return hub_.leave(session, channel);
  }
  const bool room = channels().contains(channel) || hub_.channels() < kChannelsMax;
  JoinRequest request{.channel = {}, .ticket = ++joining_.tickets, .since = {}, .recover_max = 8};
  if (input_.flag()) request.since = proto::Position{input_.below(3), input_.below(8)};
  const auto [asked, fresh] = client.waiting.emplace(channel, request);
  CHECK(fresh);
  request.channel = asked->first;
  CHECK(hub_.join(session, request) == room);
  if (!room) client.waiting.erase(asked);
}

void World::close_client(std::size_t n) {
  ClientSession* session = sessions_.find(clients_[n]);
  CHECK(session != nullptr);
  clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(n));
  hub_.closed(*session);
  hub_.closed(*session);
  channel_of_.erase(session->ref.index);
  joining_.clients.erase(session->ref.index);
  expected_.erase(session->ref.index);
  sessions_.remove(session->ref);
}

void World::client_sends() {
  if (clients_.empty()) return;
  ClientSession* session = sessions_.find(clients_[input_.below(clients_.size())]);
  const std::string payload(input_.byte() * std::size_t{4}, 'p');
  // Nothing of a client that is being closed reaches the Hub.
  if (session->phase != SessionPhase::kOpen) return;
  ++published_;
  hub_.received(*session, proto::as_bytes(payload), true);
}

void World::connect() {
  if (connected_) return;
  connected_ = true;
  reader_ = proto::Decoder();
  frames_read_ = 0;
  wire_.clear();
  link_.connected();
}

void World::lose() {
  connected_ = false;
  link_.disconnected();
  link_.disconnected();
}

void World::relay_reads(std::size_t bytes) {
  if (!connected_) return;
  const std::string_view out = link_.output();
  reader_.feed(proto::as_bytes(out.substr(0, bytes)));
  link_.sent(std::min(bytes, out.size()));
  check_output();
}

void World::check_output() {
  for (;;) {
    const auto frame = reader_.next();
    CHECK(frame.has_value());
    if (!*frame) return;
    CHECK((frames_read_++ == 0) == ((*frame)->header.type == proto::FrameType::kHello));
    switch ((*frame)->header.type) {
      case proto::FrameType::kHello:
        CHECK(proto::decode_hello(**frame).has_value());
        break;
      case proto::FrameType::kSubscribe:
        CHECK(proto::decode_subscribe(**frame).has_value());
        break;
      case proto::FrameType::kUnsubscribe:
        CHECK(proto::decode_channel_only(**frame).has_value());
        break;
      case proto::FrameType::kPublish: {
        const auto publish = proto::decode_publish(**frame);
        CHECK(publish && publish->acknowledge && publish->request > last_request_);
        CHECK(publish->wait_ms <= 2000);
        last_request_ = publish->request;
        break;
      }
      case proto::FrameType::kHistory: {
        const auto history = proto::decode_history(**frame);
        CHECK(history && (!history->recover || history->query.since));
        last_question_ = history->request;
        next_item_ = history->query.since ? history->query.since->offset : 0;
        break;
      }
      case proto::FrameType::kPresence:
        CHECK(proto::decode_presence(**frame));
        last_question_ = (*frame)->header.sequence;
        break;
      case proto::FrameType::kPresenceSet:
        CHECK(proto::decode_presence_set(**frame));
        break;
      case proto::FrameType::kPresenceClear:
        CHECK(proto::decode_presence_clear(**frame));
        break;
      case proto::FrameType::kPresenceSynced:
        break;
      default:
        CHECK((*frame)->header.type == proto::FrameType::kPing ||
              (*frame)->header.type == proto::FrameType::kPong);
    }
  }
}

std::string World::relay_frame() {
  const auto encoded = [](const auto& frame) {
    std::string out;
    proto::encode(out, frame);
    return out;
  };
  const std::string text = "0123456789";
  std::string out;
  switch (input_.below(16)) {
    case 12:
    case 13:
      return encoded(proto::HistoryItem{.request = near(last_question_),
                                        .offset = near(++next_item_),
                                        .payload = {},
                                        .meta = {}});
    case 14:
      return encoded(proto::HistoryEnd{.request = near(last_question_),
                                       .complete = input_.flag(),
                                       .top = {1 + input_.below(2), near(next_item_)}});
    case 15:
      if (input_.flag())
        return encoded(proto::PresenceItem{
            .request = near(last_question_), .client = "c", .info = proto::as_bytes(text)});
      return encoded(proto::PresenceEnd{.request = near(last_question_), .clients = 2, .users = 1});
    case 0:
      return encoded(proto::Welcome{.resumed = input_.flag(),
                                    .last_sequence = near(0),
                                    .relay_instance = 1 + input_.below(2),
                                    .payload_bytes_max = input_.flag() ? 600U : 1U << 20U,
                                    .software = "fuzz",
                                    .features = input_.byte() < 230 ? proto::kFeatureHistory : 0});
    case 1:
    case 2:
      return encoded(proto::Subscribed{.request = near(0),
                                       .channel_id = id() + 1,
                                       .continuous = input_.flag(),
                                       .start = {1 + input_.below(2), input_.below(8)},
                                       .channel = channel_name(input_.below(kChannelsMax + 2))});
    case 3:
    case 4:
    case 5: {
      const std::string number = std::to_string(++said_);
      return encoded(proto::Message{.channel_id = id() + 1,
                                    .sequence = near(link_.sequence() + 1),
                                    .offset = input_.below(8),
                                    .payload = proto::as_bytes(number),
                                    .beside = said_ % 8 == 0});
    }
    case 6:
      return encoded(proto::Gap{.channel_id = id() + 1,
                                .sequence = near(link_.sequence() + input_.below(3)),
                                .cause = static_cast<proto::GapCause>(1 + input_.below(3)),
                                .position = {input_.below(3), input_.below(8)},
                                .count = input_.flag() ? proto::kCountUnknown : 2});
    case 7:
      proto::encode_published(out, near(last_request_));
      return out;
    case 8:
      return encoded(proto::ErrorFrame{near(last_request_),
                                       static_cast<proto::ErrorReason>(input_.below(24)), text});
    case 9:
      return encoded(proto::BrokerState{static_cast<proto::BrokerLink>(input_.below(2)), text});
    case 10:
      proto::encode_unsubscribed(out, id() + 1);
      return out;
    default:
      if (input_.below(8) == 0) return encoded(proto::Goodbye{.reason = {}, .text = text});
      proto::encode_ping(out, input_.byte());
      return out;
  }
}

void World::relay_says() {
  if (!connected_) return;
  wire_ += relay_frame();
  feed(input_.flag() ? wire_.size() : input_.byte());
}

void World::relay_says_noise() {
  if (!connected_) return;
  wire_ += input_.text();
  feed(wire_.size());
}

void World::feed(std::size_t bytes) {
  while (connected_ && bytes > 0 && !wire_.empty()) {
    const auto room = link_.prepare();
    const std::size_t n = std::min({room.size(), bytes, wire_.size()});
    std::copy_n(wire_.begin(), n, room.begin());
    wire_.erase(0, n);
    bytes -= n;
    if (const auto handled = link_.commit(n); !handled) {
      CHECK(!handled.error().message.empty());
      lose();
    }
    CHECK(link_.output().size() <= kOutputBytesMax);
  }
}

void World::channel_message(std::uint32_t channel, const proto::Message& message) {
  const std::string name(hub_.channel_name(channel));
  const std::string text(proto::as_text(message.payload));
  CHECK(members(name) + waiting(name) > 0);
  for (const auto& [slot, of] : channel_of_) {
    if (of != name) continue;
    const ClientSession* session = sessions_.at(slot);
    expected_[slot].push_back(session->protocol == &protocols_[0] ? "1:" + text : text);
  }
  for (const auto& [slot, client] : joining_.clients)
    if (client.joined.contains(name)) expected_[slot].push_back(text);
  hub_.channel_message(channel, message);
}

void World::deliver_due(ClientSession& session, std::span<const RunView> due) {
  CHECK(sessions_.find(session.ref) == &session && !due.empty());
  auto& expected = expected_.at(session.ref.index);
  for (const std::string& payload : test::payloads(due)) {
    CHECK(!expected.empty() && expected.front() == payload);
    expected.pop_front();
  }
}

void World::check() const {
  CHECK(hub_.channels() == channels().size() && hub_.channels() <= kChannelsMax);
  std::size_t subscriptions = channel_of_.size();
  std::size_t joins = 0;
  for (const auto& [slot, client] : joining_.clients) {
    subscriptions += client.joined.size();
    joins += client.waiting.size();
  }
  CHECK(hub_.subscriptions() == subscriptions && hub_.joins_waiting() == joins);
  CHECK(hub_.presence_book().entries() <= subscriptions);
  if (hub_.fan_out_state().idle()) {
    for (const auto& [slot, messages] : expected_) CHECK(messages.empty());
    CHECK(hub_.fan_out_state().pending_bytes() == 0);
  }
  CHECK(link_.hold_bytes() <= kHoldBytes);
  const RelayLinkStats& s = link_.stats();
  CHECK(published_ == s.published + s.publish_timeouts + s.publish_queue_full + s.publish_refused +
                          s.publish_unknown + link_.publishes_pending());
}

void World::finish() {
  while (!clients_.empty()) close_client(0);
  lose();
  time_.advance(kPublishWait + seconds(1));
  CHECK(link_.tick().has_value());
  // The first may have been asked at the last moment.
  time_.advance(kLinkRequestWait);
  CHECK(link_.tick().has_value());
  check();
  CHECK(link_.requests_pending() == 0 && hub_.unanswered() == 0);
  CHECK(hub_.presence_book().entries() == 0);
  CHECK(link_.publishes_pending() == 0 && link_.hold_bytes() == 0 && link_.output().empty());
  CHECK(hub_.channels() == 0 && sessions_.size() == 0);
  while (hub_.fan_out(kClientsMax)) {
  }
  CHECK(hub_.fan_out_state().pending_bytes() == 0);
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Operations: more of them say nothing new.
  constexpr std::size_t kBytesMax = 4096;
  if (size > kBytesMax) return 0;
  sluice::fuzz::Input input(data, size);
  sluice::gateway::World(input).run();
  return 0;
}
