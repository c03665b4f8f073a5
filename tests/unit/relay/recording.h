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

struct RecordingBroker final : Broker {
  struct Published {
    PublishId id;
    std::string channel;
    std::string payload;
    std::string meta;
  };
  bool room = true;
  std::vector<std::string> subscribes;
  std::vector<std::string> unsubscribes;
  std::vector<Published> publishes;

  void start(BrokerEvents&) override {}
  void subscribe(std::string_view channel, const ChannelOptions& /*options*/) override {
    subscribes.emplace_back(channel);
  }
  void unsubscribe(std::string_view channel) override { unsubscribes.emplace_back(channel); }
  [[nodiscard]] bool can_publish(std::size_t) const override { return room; }
  void history(QueryId, std::string_view, const proto::HistoryQuery&,
               const ChannelOptions&) override {}
  void remove_history(QueryId, std::string_view, const ChannelOptions&) override {}
  [[nodiscard]] bool update_presence(std::span<const PresenceChange>) override { return false; }
  void presence(QueryId, std::string_view, bool) override {}
  void publish(PublishId id, std::string_view channel, proto::Bytes payload, proto::Bytes meta,
               const ChannelOptions& /*options*/) override {
    publishes.push_back({id, std::string(channel), std::string(proto::as_text(payload)),
                         std::string(proto::as_text(meta))});
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
    answers.push_back({a.request, a.channel_id, a.continuous, a.start, std::string(a.channel)});
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

/// A Router with everything around it.
struct RouterWorld {
  explicit RouterWorld(RouterOptions given = {}) : options(given) {}

  RouterOptions options;
  ManualTime time;
  SeededRandom random{7};
  RecordingBroker broker;
  RecordingWatcher watcher;
  Router router{options, broker, watcher, time, random};

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
  /// What the gateway would be sent: "SEQUENCE:OFFSET:payload" or "SEQUENCE:gap CAUSE COUNT".
  std::vector<std::string> drain(GatewayState& gateway) {
    std::vector<std::string> out;
    Outgoing next;
    for (router.take(gateway, next); next.kind != Outgoing::Kind::kNothing;
         router.take(gateway, next)) {
      if (next.kind == Outgoing::Kind::kMessage) {
        out.push_back(std::to_string(next.sequence) + ":" +
                      std::to_string(next.entry->position().offset) + ":" +
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
