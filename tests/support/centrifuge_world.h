// Centrifuge clients without a network: the real service and protocol over actions that only
// record. What clients say and hear is in protobuf, so that it can be looked at as messages. For
// unit tests and the fuzzer.
#pragma once

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/check.h"
#include "gateway/protocols/centrifuge_client.h"
#include "gateway/protocols/centrifuge_protocol.h"

namespace sluice::gateway::world {

using centrifuge::Command;
using centrifuge::Reply;

/// What a client was sent and how it was ended.
struct Heard {
  std::deque<Reply> replies;  ///< not looked at yet; a ping is one without anything
  std::size_t frames = 0;
  std::optional<std::uint16_t> closed;
  std::string reason;
};

struct AskedJoin {
  ClientRef who;
  Ticket ticket = 0;
  std::string channel;
  std::optional<proto::Position> since;
  std::uint32_t recover_max = 0;
};
struct AskedPublish {
  ClientRef who;
  Ticket ticket = 0;
  std::string channel;
  std::string payload;
  std::string meta;
};
struct AskedQuery {
  ClientRef who;
  Ticket ticket = 0;
  std::string channel;
  bool presence = false;
  bool counts_only = false;
  proto::HistoryQuery query;
};

/// Takes the payload of a server's frame apart.
[[nodiscard]] inline std::vector<Reply> replies_of(std::span<const std::uint8_t> frame) {
  CHECK(frame.size() >= 2 && (frame[0] == 0x82 || frame[0] == 0x81));
  const std::size_t head = frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
  const auto payload = frame.subspan(head);
  google::protobuf::io::CodedInputStream in(payload.data(), static_cast<int>(payload.size()));
  std::vector<Reply> replies;
  std::uint32_t size = 0;
  while (in.ReadVarint32(&size)) {
    std::string bytes;
    CHECK(in.ReadString(&bytes, static_cast<int>(size)));
    CHECK(replies.emplace_back().ParseFromString(bytes));
  }
  return replies;
}

class RecordingActions final : public ProtocolActions {
 public:
  bool subscribe(ClientSession& session, std::string_view channel) override {
    if (!room) return false;
    subscribed[session.ref.index].push_back(std::string(channel));
    return true;
  }
  bool join(ClientSession& session, const JoinRequest& request) override {
    if (!room) return false;
    joins.push_back({session.ref, request.ticket, std::string(request.channel), request.since,
                     request.recover_max});
    return true;
  }
  void leave(ClientSession& session, std::string_view channel) override {
    std::erase_if(joins, [&](const AskedJoin& join) {
      return join.who == session.ref && join.channel == channel;
    });
    std::erase(subscribed[session.ref.index], channel);
    left.push_back(std::string(channel));
  }
  std::optional<ChannelNumber> channel_number(std::string_view) const override { return {}; }
  std::string_view channel_name(ChannelNumber) const override { return {}; }
  bool publish(ClientSession& session, const PublishRequest& request) override {
    if (!relay) return false;
    if (fails_inside) {
      session.protocol->publish_failed(session, {.reason = *fails_inside, .ticket = request.ticket},
                                       *this);
      return true;
    }
    published.push_back({session.ref, request.ticket, std::string(request.channel),
                         std::string(proto::as_text(request.payload)),
                         std::string(proto::as_text(request.meta))});
    return true;
  }
  void publish(std::string_view channel, proto::Bytes payload) override {
    told.emplace_back(channel, proto::as_text(payload));
  }
  bool ask_history(ClientSession& session, Ticket ticket, std::string_view channel,
                   const proto::HistoryQuery& query) override {
    if (!relay) return false;
    queries.push_back({session.ref, ticket, std::string(channel), false, false, query});
    return true;
  }
  bool ask_presence(ClientSession& session, Ticket ticket, std::string_view channel,
                    bool counts_only) override {
    if (!relay) return false;
    queries.push_back({session.ref, ticket, std::string(channel), true, counts_only, {}});
    return true;
  }
  void set_presence(ClientSession&, const proto::PresenceSet& one) override {
    CHECK(one.info.size() <= proto::kPresenceInfoBytesMax);
    present[{std::string(one.channel), std::string(one.client)}] =
        std::string(proto::as_text(one.info));
  }
  void clear_presence(ClientSession&, std::string_view channel, std::string_view client) override {
    present.erase({std::string(channel), std::string(client)});
  }
  void changed(ClientSession&) override { ++changes; }
  std::string_view first_channel(const ClientSession& session) const override {
    const auto found = subscribed.find(session.ref.index);
    return found == subscribed.end() || found->second.empty() ? std::string_view()
                                                              : found->second.front();
  }
  void deliver(ClientSession& session, FrameRef frame) override {
    if (session.phase != SessionPhase::kOpen) return;
    Heard& one = heard[session.ref.index];
    ++one.frames;
    for (Reply& reply : replies_of(frame->bytes())) one.replies.push_back(std::move(reply));
  }
  void close(ClientSession& session, CloseCode code, const char* reason) override {
    if (session.phase != SessionPhase::kOpen) return;
    session.phase = SessionPhase::kClosing;
    heard[session.ref.index].closed = static_cast<std::uint16_t>(code);
    heard[session.ref.index].reason = reason;
    CHECK(std::string_view(reason).size() <= 123);
  }

  bool room = true;                                ///< for channels
  bool relay = true;                               ///< takes requests
  std::optional<proto::ErrorReason> fails_inside;  ///< what a publish ends with, before it returns
  std::vector<AskedJoin> joins;
  std::vector<AskedPublish> published;
  std::vector<AskedQuery> queries;
  std::vector<std::pair<std::string, std::string>> told;  ///< published for nobody in particular
  std::map<std::uint32_t, std::vector<std::string>> subscribed;  ///< by slot
  std::vector<std::string> left;
  std::map<std::pair<std::string, std::string>, std::string> present;
  std::map<std::uint32_t, Heard> heard;
  std::size_t changes = 0;
};

/// Tokens are what tests say that they are.
class NamedTokens final : public TokenJudge {
 public:
  bool has_keys() const override { return keys; }
  tl::expected<ConnectionClaims, TokenFailure> connection(std::string_view token,
                                                          std::int64_t) const override {
    if (token == "old") return fault(TokenFault::kExpired);
    const auto found = connections.find(token);
    if (found == connections.end()) return fault(TokenFault::kInvalid);
    return found->second;
  }
  tl::expected<SubscriptionClaims, TokenFailure> subscription(std::string_view token,
                                                              std::int64_t) const override {
    if (token == "old") return fault(TokenFault::kExpired);
    const auto found = subscriptions.find(token);
    if (found == subscriptions.end()) return fault(TokenFault::kInvalid);
    return found->second;
  }

  bool keys = true;
  std::map<std::string, ConnectionClaims, std::less<>> connections;
  std::map<std::string, SubscriptionClaims, std::less<>> subscriptions;

 private:
  [[nodiscard]] static tl::unexpected<TokenFailure> fault(TokenFault fault) {
    return tl::make_unexpected(TokenFailure{fault, "test"});
  }
};

class RecordingHooks final : public HookCaller {
 public:
  bool has(HookKind kind) const override { return !missing.contains(kind); }
  const std::vector<std::string>& forwarded_headers() const override { return headers; }
  void call(HookRequest request) override { calls.push_back(std::move(request)); }

  std::map<HookKind, bool> missing;
  std::vector<std::string> headers;
  std::vector<HookRequest> calls;
};

/// Like a real clock, no reading of which is the last one's.
class MovingTime final : public TimeSource {
 public:
  [[nodiscard]] TimePoint now() const override { return now_ += std::chrono::nanoseconds(1); }
  void advance(Duration by) { now_ += by; }

 private:
  mutable TimePoint now_{std::chrono::hours(1)};
};

class World {
 public:
  explicit World(Rules rules = Rules::open_access(), CentrifugeOptions options = {})
      : rules(std::move(rules)),
        service(complete(std::move(options)), this->rules, tokens, &hooks, sessions, actions, time,
                random) {}
  ~World() {
    for (std::size_t slot = 0; slot < sessions.slots(); ++slot)
      if (ClientSession* session = sessions.at(slot)) end(*session);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  ClientSession& open(const UpgradeRequest& request = {}) {
    ClientSession& session = sessions.add();
    session.protocol = &protocol;
    session.state.id = {random.next(), random.next()};
    session.state.connected_at = time.now();
    actions.heard[session.ref.index] = {};
    protocol.opened(session, request, actions);
    return session;
  }
  /// The connection is gone.
  void end(ClientSession& session) {
    const ClientRef ref = session.ref;
    std::erase_if(actions.joins, [&](const auto& one) { return one.who == ref; });
    protocol.closed(session, actions);
    actions.subscribed.erase(ref.index);
    sessions.remove(ref);
  }
  /// One frame.
  void send(ClientSession& session, const std::vector<Command>& commands) {
    std::string frame;
    for (const Command& command : commands) {
      std::string bytes = command.SerializeAsString();
      std::size_t size = bytes.size();
      for (; size >= 0x80; size >>= 7U) frame.push_back(static_cast<char>(size | 0x80U));
      frame.push_back(static_cast<char>(size));
      frame += bytes;
    }
    protocol.received(session, proto::as_bytes(frame), false, actions);
  }
  void send(ClientSession& session, const Command& command) {
    send(session, std::vector<Command>{command});
  }
  [[nodiscard]] Heard& heard(const ClientSession& session) {
    return actions.heard[session.ref.index];
  }
  /// The next reply that it got; without anything when there is none.
  Reply next(const ClientSession& session) {
    auto& replies = heard(session).replies;
    if (replies.empty()) return {};
    Reply reply = std::move(replies.front());
    replies.pop_front();
    return reply;
  }
  /// Answers the oldest join of the channel.
  void answer_join(std::string_view channel, proto::Position position, bool recovered = false,
                   const std::vector<PublicationView>& publications = {}) {
    const auto found = std::find_if(actions.joins.begin(), actions.joins.end(),
                                    [&](const auto& one) { return one.channel == channel; });
    CHECK(found != actions.joins.end());
    const AskedJoin join = *found;
    actions.joins.erase(found);
    Joined joined;
    joined.position = position;
    joined.recovered = recovered;
    joined.publications = publications;
    actions.subscribed[join.who.index].push_back(join.channel);
    protocol.joined(*sessions.find(join.who), join.ticket, joined, actions);
  }
  void answer_joins() {
    while (!actions.joins.empty())
      answer_join(std::string(actions.joins.front().channel), {kEpoch, 0});
  }
  /// Answers the oldest hook call.
  void answer_hook(std::string body, HookFault fault = HookFault::kNone) {
    CHECK(!hooks.calls.empty());
    const HookRequest call = hooks.calls.front();
    hooks.calls.erase(hooks.calls.begin());
    service.hook_answered({call.kind, call.origin, call.ticket, fault, std::move(body)});
  }
  void advance(Duration by) {
    time.advance(by);
    unix_ms += std::chrono::duration_cast<std::chrono::milliseconds>(by).count();
  }
  /// As the timers would: due() at each due_at up to then.
  void run(ClientSession& session, Duration by) {
    const TimePoint end = time.now() + by;
    while (session.phase == SessionPhase::kOpen && session.state.due_at != TimePoint{} &&
           session.state.due_at <= end) {
      if (session.state.due_at > time.now()) advance(session.state.due_at - time.now());
      session.state.due_at = {};
      protocol.due(session, actions);
    }
    if (end > time.now()) advance(end - time.now());
  }
  [[nodiscard]] std::int64_t now_s() const { return unix_ms / 1000; }
  [[nodiscard]] CentrifugeState& state(const ClientSession& session) {
    return CentrifugeClient::state_of(session);
  }

  static constexpr std::uint64_t kEpoch = 0xABCD;

  std::int64_t unix_ms = 1'700'000'000'000;
  MovingTime time;
  SeededRandom random{7};
  NamedTokens tokens;
  RecordingHooks hooks;
  RecordingActions actions;
  SessionTable sessions;
  RulesStore rules;
  CentrifugeService service;
  CentrifugeProtocol protocol{centrifuge_protobuf(), service};

 private:
  [[nodiscard]] CentrifugeOptions complete(CentrifugeOptions options) {
    options.gateway_id = "1111";
    options.version = "sluice test";
    options.unix_ms = [this] { return unix_ms; };
    return options;
  }
};

// ---- commands

[[nodiscard]] inline Command connect(std::uint32_t id, std::string_view token = {}) {
  Command command;
  command.set_id(id);
  command.mutable_connect()->set_token(std::string(token));
  return command;
}
[[nodiscard]] inline Command subscribe(std::uint32_t id, std::string_view channel,
                                       std::string_view token = {}) {
  Command command;
  command.set_id(id);
  command.mutable_subscribe()->set_channel(std::string(channel));
  command.mutable_subscribe()->set_token(std::string(token));
  return command;
}
[[nodiscard]] inline Command unsubscribe(std::uint32_t id, std::string_view channel) {
  Command command;
  command.set_id(id);
  command.mutable_unsubscribe()->set_channel(std::string(channel));
  return command;
}
[[nodiscard]] inline Command publish(std::uint32_t id, std::string_view channel,
                                     std::string_view data) {
  Command command;
  command.set_id(id);
  command.mutable_publish()->set_channel(std::string(channel));
  command.mutable_publish()->set_data(std::string(data));
  return command;
}
[[nodiscard]] inline Command presence(std::uint32_t id, std::string_view channel) {
  Command command;
  command.set_id(id);
  command.mutable_presence()->set_channel(std::string(channel));
  return command;
}
[[nodiscard]] inline Command presence_stats(std::uint32_t id, std::string_view channel) {
  Command command;
  command.set_id(id);
  command.mutable_presence_stats()->set_channel(std::string(channel));
  return command;
}
[[nodiscard]] inline Command history(std::uint32_t id, std::string_view channel, int limit) {
  Command command;
  command.set_id(id);
  command.mutable_history()->set_channel(std::string(channel));
  command.mutable_history()->set_limit(limit);
  return command;
}
[[nodiscard]] inline Command rpc(std::uint32_t id, std::string_view method, std::string_view data) {
  Command command;
  command.set_id(id);
  command.mutable_rpc()->set_method(std::string(method));
  command.mutable_rpc()->set_data(std::string(data));
  return command;
}
[[nodiscard]] inline Command refresh(std::uint32_t id, std::string_view token) {
  Command command;
  command.set_id(id);
  command.mutable_refresh()->set_token(std::string(token));
  return command;
}
[[nodiscard]] inline Command sub_refresh(std::uint32_t id, std::string_view channel,
                                         std::string_view token) {
  Command command;
  command.set_id(id);
  command.mutable_sub_refresh()->set_channel(std::string(channel));
  command.mutable_sub_refresh()->set_token(std::string(token));
  return command;
}
[[nodiscard]] inline Command send_only() {
  Command command;
  command.mutable_send()->set_data("x");
  return command;
}
[[nodiscard]] inline Command pong() {
  return {};
}

}  // namespace sluice::gateway::world
