// Ports that write down what the relay's pure classes say.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/random.h"
#include "proto/frame.h"
#include "relay/brokers/broker.h"
#include "relay/router.h"

namespace sluice::relay::test {

using namespace std::chrono_literals;

inline RefPtr<const RingEntry> entry(ChannelOrdinal channel, std::uint64_t epoch,
                                     std::uint64_t offset, std::string_view payload = "hello",
                                     TimePoint arrived = {}) {
  return RingEntry::make(channel, {epoch, offset}, arrived, proto::as_bytes(payload), {});
}

/// One that has no place in the channel's history, which stands there.
inline RefPtr<const RingEntry> entry_beside(ChannelOrdinal channel, std::uint64_t epoch,
                                            std::uint64_t offset,
                                            std::string_view payload = "hello") {
  return RingEntry::make(channel, {epoch, offset}, {}, proto::as_bytes(payload), {}, true);
}

struct RecordingBroker final : Broker {
  struct Published {
    PublishId id;
    std::string channel;
    std::string payload;
    std::string meta;
    ChannelOptions options;
  };
  bool room = true;
  std::vector<std::string> subscribes;
  std::vector<std::string> unsubscribes;
  std::vector<Published> publishes;
  struct Asked {
    QueryId id;
    std::string channel;
    proto::HistoryQuery query;
  };
  std::vector<Asked> histories;
  std::vector<Asked> removals;
  std::vector<Asked> presences;  ///< limit 0: counts only
  bool takes_presence = true;
  std::vector<std::size_t> presence_batches;
  std::vector<std::string> presence_changes;  ///< "+channel/client/user" or "-…"
  StringMap<ChannelOptions> options;          ///< last told

  void start(BrokerEvents&) override {}
  void subscribe(std::string_view channel, const ChannelOptions& given) override {
    subscribes.emplace_back(channel);
    options[std::string(channel)] = given;
  }
  void unsubscribe(std::string_view channel) override { unsubscribes.emplace_back(channel); }
  [[nodiscard]] bool can_publish(std::size_t) const override { return room; }
  void history(QueryId id, std::string_view channel, const proto::HistoryQuery& query,
               const ChannelOptions&) override {
    histories.push_back({id, std::string(channel), query});
  }
  void remove_history(QueryId id, std::string_view channel, const ChannelOptions&) override {
    removals.push_back({id, std::string(channel), {}});
  }
  [[nodiscard]] bool update_presence(std::span<const PresenceChange> changes) override {
    if (!takes_presence) return false;
    presence_batches.push_back(changes.size());
    for (const PresenceChange& c : changes) {
      presence_changes.push_back((c.set ? "+" : "-") + c.channel + "/" + c.entry.client + "/" +
                                 c.entry.user);
    }
    return true;
  }
  void presence(QueryId id, std::string_view channel, bool counts_only) override {
    presences.push_back({id, std::string(channel), {.since = {}, .limit = counts_only ? 0U : 1U}});
  }
  void publish(PublishId id, std::string_view channel, proto::Bytes payload, proto::Bytes meta,
               const ChannelOptions& given) override {
    options[std::string(channel)] = given;
    publishes.push_back({id, std::string(channel), std::string(proto::as_text(payload)),
                         std::string(proto::as_text(meta)), given});
  }
  [[nodiscard]] std::string describe() const override { return "recording:"; }

  [[nodiscard]] std::vector<std::string> payloads() const {
    std::vector<std::string> out;
    for (const Published& p : publishes) out.push_back(p.payload);
    return out;
  }
};

struct RecordingLink final : LinkPort {
  struct Answer {
    std::uint64_t request;
    std::uint32_t id;
    bool continuous;
    proto::Position start;
    std::string channel;
    bool history;
  };
  struct Refusal {
    std::uint64_t request;
    proto::ErrorReason reason;
  };
  std::vector<Answer> answers;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> unsubscribes;
  std::vector<std::uint64_t> acknowledged;
  std::vector<Refusal> refusals;
  std::vector<bool> broker_states;
  int wakes = 0;

  void subscribed(const proto::Subscribed& a) override {
    answers.push_back(
        {a.request, a.channel_id, a.continuous, a.start, std::string(a.channel), a.history});
  }
  void unsubscribed(std::uint32_t id, std::uint64_t after) override {
    unsubscribes.emplace_back(id, after);
  }
  void published(std::uint64_t request) override { acknowledged.push_back(request); }
  void refused(std::uint64_t request, proto::ErrorReason reason, std::string_view) override {
    refusals.push_back({request, reason});
  }
  void broker_state(bool connected, std::string_view) override {
    broker_states.push_back(connected);
  }
  void drain_marked(const proto::DrainMark& mark) override {
    marks.push_back((mark.set ? "+" : "-") + std::string(mark.balancer));
  }
  void control(const proto::Control& control) override {
    controls.emplace_back(control.action, control.older_than_ms);
  }
  void controlled(std::uint64_t request) override { controls_done.push_back(request); }
  void pending() override { ++wakes; }
  std::vector<std::string> marks;
  std::vector<std::pair<proto::ControlAction, std::uint64_t>> controls;
  std::vector<std::uint64_t> controls_done;
};

struct RecordingWatcher final : RouterWatcher {
  std::vector<std::string> lines;
  void broker_connected() override { lines.emplace_back("connected"); }
  void broker_away(std::string_view reason) override {
    lines.push_back("away " + std::string(reason));
  }
  void channel_subscribed(std::string_view c) override { lines.push_back("+" + std::string(c)); }
  void channel_unsubscribed(std::string_view c) override { lines.push_back("-" + std::string(c)); }
  void continuity_lost(std::string_view c, Duration) override {
    lines.push_back("gap " + std::string(c));
  }
  void message_oversized(std::string_view c, std::uint64_t bytes) override {
    lines.push_back("oversized " + std::string(c) + " " + std::to_string(bytes));
  }
  void messages_lost(std::string_view c, std::uint64_t count) override {
    lines.push_back("lost " + std::string(c) + " " + std::to_string(count));
  }
  void presence_full(std::string_view g) override { lines.push_back("full " + std::string(g)); }
  void gateway_overrun(std::string_view g) override {
    lines.push_back("overrun " + std::string(g));
  }
  void gateway_controlled(std::string_view g, proto::ControlAction) override {
    lines.push_back("control " + std::string(g));
  }
  void upgrade_asked() override { lines.emplace_back("upgrade"); }
  void drain_marks_changed() override { lines.emplace_back("marks"); }
  void gateway_forgotten(std::string_view g) override {
    lines.push_back("forgot " + std::string(g));
  }
};

/// Channels whose names begin with "h:" have a history.
struct TestPolicy final : ChannelPolicy {
  [[nodiscard]] ChannelOptions options(std::string_view channel) const override {
    if (!channel.starts_with("h:")) return {};
    return {.history_size = size, .history_ttl = 10min, .envelope = true};
  }
  std::uint32_t size = 100;
};

/// A Router with everything around it.
struct RouterWorld {
  explicit RouterWorld(RouterOptions given = {}) : options(given) {}

  RouterOptions options;
  ManualTime time;
  SeededRandom random{7};
  RecordingBroker broker;
  RecordingWatcher watcher;
  TestPolicy policy;
  Router router{options, broker, watcher, time, random, &policy};

  GatewayState& connect(LinkPort& link, std::string_view id) {
    proto::Hello hello;
    hello.gateway_id = id;
    auto attached = router.attach(link, hello);
    router.greet(*attached->gateway, 0);
    return *attached->gateway;
  }
  void subscribe(GatewayState& gateway, std::string_view channel, std::uint64_t request = 1,
                 std::optional<proto::Position> from = std::nullopt) {
    proto::Subscribe s;
    s.request = request;
    s.channel = channel;
    s.from_position = from.has_value();
    s.position = from.value_or(proto::Position{});
    router.subscribe(gateway, s);
  }
  void publish(GatewayState& gateway, std::string_view channel, std::string_view payload,
               std::uint64_t request = 1, std::uint32_t wait_ms = 5000) {
    proto::Publish p;
    p.request = request;
    p.acknowledge = true;
    p.channel = channel;
    p.wait_ms = wait_ms;
    p.payload = proto::as_bytes(payload);
    router.publish(gateway, p);
  }
  void deliver(std::string_view channel, std::string_view payload) {
    router.message(channel, proto::as_bytes(payload), {}, std::nullopt);
  }
  /// Of a channel with history: each one behind the last.
  void deliver_at(std::string_view channel, std::uint64_t epoch, std::uint64_t offset,
                  std::string_view payload = "m") {
    router.message(channel, proto::as_bytes(payload), {}, proto::Position{epoch, offset});
  }
  void ask_history(GatewayState& gateway, std::string_view channel, std::uint64_t request,
                   const proto::HistoryQuery& query, bool recover = false) {
    proto::History h;
    h.request = request;
    h.recover = recover;
    h.query = query;
    h.channel = channel;
    router.history(gateway, h);
  }
  void recover(GatewayState& gateway, std::string_view channel, proto::Position since,
               std::uint64_t request = 1, std::uint32_t limit = proto::kLimitNone) {
    ask_history(gateway, channel, request, {.since = since, .limit = limit, .reverse = false},
                true);
  }
  void set_presence(GatewayState& gateway, std::string_view channel, std::string_view client,
                    std::string_view user = "u", std::string_view info = "i") {
    router.set_presence(gateway, {channel, client, user, proto::as_bytes(info)});
  }
  /// What the gateway would be answered: "REQUEST:OFFSET:payload", "REQUEST:end EPOCH/OFFSET",
  /// "whole" in it where it is, "REQUEST:client:info", "REQUEST:CLIENTS/USERS", "REQUEST:refused
  /// reason".
  std::vector<std::string> answers(GatewayState& gateway) {
    std::vector<std::string> out;
    AnswerPiece piece;
    for (;;) {
      router.take_answer(gateway, piece);
      std::string line;
      switch (piece.kind) {
        case AnswerPiece::Kind::kNothing:
          return out;
        case AnswerPiece::Kind::kPublication:
          line = std::to_string(piece.item.request) + ":" + std::to_string(piece.item.offset) +
                 ":" + std::string(proto::as_text(piece.item.payload));
          break;
        case AnswerPiece::Kind::kHistoryEnd:
          line = std::to_string(piece.history_end.request) +
                 (piece.history_end.complete ? ":whole " : ":end ") +
                 std::to_string(piece.history_end.top.epoch) + "/" +
                 std::to_string(piece.history_end.top.offset);
          break;
        case AnswerPiece::Kind::kPerson:
          line = std::to_string(piece.person.request) + ":" + std::string(piece.person.client) +
                 ":" + std::string(proto::as_text(piece.person.info));
          break;
        case AnswerPiece::Kind::kPresenceEnd:
          line = std::to_string(piece.presence_end.request) + ":" +
                 std::to_string(piece.presence_end.clients) + "/" +
                 std::to_string(piece.presence_end.users);
          break;
        case AnswerPiece::Kind::kRefusal:
          line = std::to_string(piece.request) + ":refused " +
                 std::string(proto::to_string(piece.refusal.reason));
          break;
      }
      out.push_back(line);
    }
  }

  /// What the gateway would be sent: "SEQUENCE:OFFSET:payload" or "SEQUENCE:gap CAUSE COUNT".
  std::vector<std::string> drain(GatewayState& gateway) {
    std::vector<std::string> out;
    Outgoing next;
    for (router.take(gateway, next); next.kind != Outgoing::Kind::kNothing;
         router.take(gateway, next)) {
      if (next.kind == Outgoing::Kind::kMessage) {
        out.push_back(std::to_string(next.sequence) + ":" +
                      std::to_string(next.entry->position().offset) +
                      (next.entry->beside() ? " beside:" : ":") +
                      std::string(proto::as_text(next.entry->payload())));
      }
      for (const proto::Gap& gap : next.gaps) {
        out.push_back(std::to_string(gap.sequence) + ":gap " +
                      std::string(proto::to_string(gap.cause)) + " " +
                      (gap.count == proto::kCountUnknown ? "?" : std::to_string(gap.count)));
      }
    }
    return out;
  }
};

}  // namespace sluice::relay::test
