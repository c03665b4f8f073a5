// A broker in the simulator: confirms late, goes away with what is in flight, hears other
// publishers, and keeps the one true order of everything that was published.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "relay/brokers/broker.h"
#include "tests/sim/faults.h"

namespace sluice::sim {

class FakeBroker final : public relay::Broker {
 public:
  FakeBroker(const TimeSource& time, Random& random, Faults& faults)
      : time_(time), random_(random), faults_(faults) {}

  // Broker.
  void start(relay::BrokerEvents& events) override { events_ = &events; }
  void subscribe(std::string_view channel, const relay::ChannelOptions& /*options*/) override {
    if (faults_.hit(Port::kBrokerSubscribe)) breaks_ = true;
    wanted_.insert(std::string(channel));
    if (up_) unconfirmed_.insert(std::string(channel));
  }
  void unsubscribe(std::string_view channel) override {
    if (faults_.hit(Port::kBrokerUnsubscribe)) breaks_ = true;
    const std::string name(channel);
    wanted_.erase(name);
    unconfirmed_.erase(name);
    live_.erase(name);
    covered_until_.erase(name);
    // They would come in front of the confirmation of a subscription made anew.
    std::erase_if(undelivered_, [&](const Pending& p) { return p.channel == name; });
  }
  [[nodiscard]] bool can_publish(std::size_t) const override {
    if (faults_.hit(Port::kBrokerRoom)) return false;
    return up_ && !recovering_ && in_flight_.size() < 64;
  }
  void history(relay::QueryId, std::string_view, const proto::HistoryQuery&,
               const relay::ChannelOptions&) override {}
  void remove_history(relay::QueryId, std::string_view, const relay::ChannelOptions&) override {}
  [[nodiscard]] bool update_presence(std::span<const relay::PresenceChange>) override {
    return false;
  }
  void presence(relay::QueryId, std::string_view, bool) override {}
  void publish(relay::PublishId id, std::string_view channel, proto::Bytes payload, proto::Bytes,
               const relay::ChannelOptions& /*options*/) override {
    // Told later: a broker never answers with a fault from inside.
    if (faults_.hit(Port::kBrokerPublish)) {
      refused_.push_back(id);
      return;
    }
    if (faults_.hit(Port::kBrokerPublishLost)) breaks_ = true;
    in_flight_.push_back({id, std::string(channel), std::string(proto::as_text(payload))});
  }
  [[nodiscard]] std::string describe() const override { return "fake:"; }

  // The simulator's side.
  void come_up() {
    up_ = true;
    unconfirmed_ = wanted_;
    recovering_ = !wanted_.empty();
    events_->broker_connected();
  }
  void go_down() {
    up_ = false;
    recovering_ = false;
    unconfirmed_.clear();
    live_.clear();
    undelivered_.clear();  // was in the dead connection
    // A part of what was written has arrived all the same; nobody will ever know from the replies.
    while (!in_flight_.empty()) {
      const Pending p = in_flight_.front();
      in_flight_.pop_front();
      if (random_.below(2) == 0) record(p.channel, p.payload);
      lost_.push_back(p.id);
    }
    // New connection, old messages gone: whoever was subscribed hears nothing until then.
    for (const auto id : lost_)
      events_->published(id, relay::PublishOutcome::kUnknownFate, "connection lost", std::nullopt);
    lost_.clear();
    events_->broker_away("simulated outage");
  }
  /// The relay's process is gone: a part of what it wrote has arrived, and nobody listens.
  void relay_died() {
    for (const Pending& p : std::exchange(in_flight_, {}))
      if (random_.below(2) == 0) record(p.channel, p.payload);
    up_ = recovering_ = breaks_ = false;
    wanted_.clear();
    unconfirmed_.clear();
    live_.clear();
    covered_until_.clear();
    undelivered_.clear();
    refused_.clear();
  }
  /// Somebody else publishes.
  void publish_from_outside(const std::string& channel, const std::string& payload) {
    arrive(channel, payload);
  }

  /// One small step: a confirmation, a publish that arrives, a message that is delivered.
  void step() {
    if (breaks_) {
      breaks_ = false;
      if (up_) go_down();
    }
    for (const auto id : std::exchange(refused_, {}))
      events_->published(id, relay::PublishOutcome::kRefused, "refused by the broker",
                         std::nullopt);
    if (!up_) return;
    if (!unconfirmed_.empty() && random_.below(2) == 0) confirm_one();
    if (!in_flight_.empty()) take_one();
    for (auto n = random_.below(4); n > 0 && !undelivered_.empty(); --n) deliver_one();
  }

  [[nodiscard]] bool up() const { return up_; }
  /// Channel → payloads in order.
  [[nodiscard]] const std::map<std::string, std::vector<std::string>>& log() const { return log_; }

 private:
  struct Pending {
    relay::PublishId id;
    std::string channel;
    std::string payload;
  };

  std::size_t record(const std::string& channel, const std::string& payload) {
    log_[channel].push_back(payload);
    return log_[channel].size();
  }
  void arrive(const std::string& channel, const std::string& payload) {
    record(channel, payload);
    if (live_.contains(channel)) undelivered_.push_back({0, channel, payload});
  }
  void confirm_one() {
    const std::string channel = *unconfirmed_.begin();
    unconfirmed_.erase(unconfirmed_.begin());
    live_.insert(channel);
    const auto covered = covered_until_.find(channel);
    std::optional<Duration> uncovered;
    if (covered != covered_until_.end()) uncovered = time_.now() - covered->second;
    covered_until_[channel] = time_.now();
    events_->subscribed(channel, uncovered, std::nullopt);
    if (recovering_ && unconfirmed_.empty()) {
      recovering_ = false;
      events_->broker_connected();
    }
  }
  void take_one() {
    const Pending p = in_flight_.front();
    in_flight_.pop_front();
    arrive(p.channel, p.payload);
    events_->published(p.id, relay::PublishOutcome::kPublished, "", std::nullopt);
  }
  void deliver_one() {
    if (faults_.hit(Port::kBrokerDeliver)) {
      if (faults_.silent()) return undelivered_.pop_front();
      breaks_ = true;  // with the next step; what is in the connection is lost
      undelivered_.clear();
      return;
    }
    const Pending p = undelivered_.front();
    undelivered_.pop_front();
    if (live_.contains(p.channel))
      events_->message(p.channel, proto::as_bytes(p.payload), {}, std::nullopt);
  }

  const TimeSource& time_;
  Random& random_;
  Faults& faults_;
  relay::BrokerEvents* events_ = nullptr;
  bool up_ = false;
  bool recovering_ = false;
  bool breaks_ = false;  ///< with the next step
  std::set<std::string> wanted_;
  std::set<std::string> unconfirmed_;
  std::set<std::string> live_;
  std::map<std::string, TimePoint> covered_until_;
  std::deque<Pending> in_flight_;
  std::deque<Pending> undelivered_;
  std::vector<relay::PublishId> lost_;
  std::vector<relay::PublishId> refused_;
  std::map<std::string, std::vector<std::string>> log_;
};

}  // namespace sluice::sim
