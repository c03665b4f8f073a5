// A broker in the simulator: confirms late, goes away with what is in flight, hears other
// publishers, and keeps the one true order of everything that was published. Some channels have a
// history: the last publications can be had again, unless somebody removes them.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
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
  static constexpr const char* kBeside = "beside.";

  FakeBroker(const TimeSource& time, Random& random, Faults& faults)
      : time_(time), random_(random), faults_(faults) {}

  // Broker.
  void start(relay::BrokerEvents& events) override { events_ = &events; }
  void subscribe(std::string_view channel, const relay::ChannelOptions& options) override {
    if (faults_.hit(Port::kBrokerSubscribe)) breaks_ = true;
    wanted_.insert(std::string(channel));
    if (options.history()) begin_history(std::string(channel), options.history_size);
    if (up_) unconfirmed_.insert(std::string(channel));
  }
  void unsubscribe(std::string_view channel) override {
    if (faults_.hit(Port::kBrokerUnsubscribe)) breaks_ = true;
    const std::string name(channel);
    wanted_.erase(name);
    unconfirmed_.erase(name);
    live_.erase(name);
    covered_until_.erase(name);
    told_.erase(name);
    // They would come in front of the confirmation of a subscription made anew.
    std::erase_if(undelivered_, [&](const Pending& p) { return p.channel == name; });
  }
  [[nodiscard]] bool can_publish(std::size_t) const override {
    if (faults_.hit(Port::kBrokerRoom)) return false;
    return up_ && !recovering_ && in_flight_.size() < 64;
  }
  void history(relay::QueryId id, std::string_view channel, const proto::HistoryQuery& query,
               const relay::ChannelOptions& options) override {
    begin_history(std::string(channel), options.history_size);
    questions_.push_back({id, std::string(channel), query, false});
  }
  void remove_history(relay::QueryId, std::string_view, const relay::ChannelOptions&) override {}
  [[nodiscard]] bool update_presence(std::span<const relay::PresenceChange> changes) override {
    if (!up_) return false;
    for (const relay::PresenceChange& change : changes) {
      const std::string key = change.channel + "/" + change.entry.client;
      if (change.set) {
        present_[key] = time_.now();
      } else {
        present_.erase(key);
      }
    }
    return true;
  }
  void presence(relay::QueryId id, std::string_view channel, bool) override {
    questions_.push_back({id, std::string(channel), {}, true});
  }
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
    refuse_questions();
    // A part of what was written has arrived all the same; nobody will ever know from the replies.
    while (!in_flight_.empty()) {
      const Pending p = in_flight_.front();
      in_flight_.pop_front();
      if (random_.below(2) == 0) record(p.channel, p.payload);
      if (p.id != 0) lost_.push_back(p.id);
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
    told_.clear();
    undelivered_.clear();
    refused_.clear();
    questions_.clear();
  }
  /// The relay goes on as another program with the same connection: what it wrote arrives, and
  /// nobody waits for the answers.
  void relay_upgraded() {
    for (Pending& p : in_flight_) p.id = 0;
    refused_.clear();
    questions_.clear();
  }
  [[nodiscard]] bool wants(const std::string& channel) const { return wanted_.contains(channel); }
  [[nodiscard]] std::size_t wanted() const { return wanted_.size(); }
  /// Somebody else publishes.
  void publish_from_outside(const std::string& channel, const std::string& payload) {
    arrive(channel, payload);
  }

  /// Somebody publishes past the history: to who listens, without a place in it.
  void publish_beside(const std::string& channel) {
    if (!histories_.contains(channel) || !live_.contains(channel)) return;
    const std::uint64_t number = ++besides_[channel];
    undelivered_.push_back(
        {0, channel, std::string(kBeside) + channel + "." + std::to_string(number), std::nullopt});
  }
  /// The number of such a message; nothing: it is another one, or of another channel.
  [[nodiscard]] static std::optional<std::uint64_t> beside_number(std::string_view channel,
                                                                  std::string_view payload) {
    const std::string front = std::string(kBeside) + std::string(channel) + ".";
    if (!payload.starts_with(front)) return std::nullopt;
    return std::stoull(std::string(payload.substr(front.size())));
  }
  /// How many there were at most in a gap told as `told`, where `missing` of the log are missing.
  [[nodiscard]] bool may_be_told(const std::string& channel, std::uint64_t missing,
                                 std::uint64_t told) const {
    const auto found = besides_.find(channel);
    const std::uint64_t besides = found == besides_.end() ? 0 : found->second;
    return told >= missing && told - missing <= besides;
  }

  /// Somebody removes a history.
  void remove_from_outside(const std::string& channel) {
    const auto found = histories_.find(channel);
    if (found == histories_.end()) return;
    found->second = {random_.next() | 1U, log_[channel].size(), found->second.size};
    bases_[found->second.epoch] = found->second.base;
    if (live_.contains(channel)) undelivered_.push_back({0, channel, {}, top(channel), true});
  }

  /// What the publication at a history's position is; null: there never was such a one.
  [[nodiscard]] const std::string* at(const std::string& channel, proto::Position position) const {
    const auto base = bases_.find(position.epoch);
    const auto log = log_.find(channel);
    if (base == bases_.end() || log == log_.end() || position.offset == 0) return nullptr;
    const std::size_t index = base->second + position.offset - 1;
    return index < log->second.size() ? &log->second[index] : nullptr;
  }
  /// Who is there: "channel/client", as long as it is set again.
  [[nodiscard]] std::set<std::string> present() const {
    std::set<std::string> all;
    for (const auto& [key, set_at] : present_) {
      if (time_.now() - set_at < std::chrono::seconds(60)) all.insert(key);
    }
    return all;
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
    if (!up_) return refuse_questions();
    if (!questions_.empty() && random_.below(3) == 0) answer_one();
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
    std::optional<proto::Position> position{};
    bool lost = false;  ///< no message: the history goes on there
  };
  struct History {
    std::uint64_t epoch = 0;
    std::size_t base = 0;  ///< of the log, where the epoch began
    std::size_t size = 0;
  };
  struct Question {
    relay::QueryId id;
    std::string channel;
    proto::HistoryQuery query;
    bool presence;
  };

  void begin_history(const std::string& channel, std::size_t size) {
    if (histories_.contains(channel)) return;
    const std::uint64_t epoch = random_.next() | 1U;
    histories_[channel] = {epoch, log_[channel].size(), size};
    bases_[epoch] = log_[channel].size();
  }
  [[nodiscard]] std::optional<proto::Position> top(const std::string& channel) const {
    const auto found = histories_.find(channel);
    if (found == histories_.end()) return std::nullopt;
    const auto log = log_.find(channel);
    const std::size_t entries = log == log_.end() ? 0 : log->second.size();
    return proto::Position{found->second.epoch, entries - found->second.base};
  }
  /// The history has the publications behind this offset.
  [[nodiscard]] std::uint64_t trimmed_to(const std::string& channel) const {
    const History& history = histories_.at(channel);
    const std::uint64_t offset = top(channel)->offset;
    return offset - std::min<std::uint64_t>(offset, history.size);
  }
  void answer_one() {
    const Question question = questions_.front();
    questions_.pop_front();
    if (question.presence) return events_->presence(question.id, {});
    relay::HistoryAnswer answer;
    answer.top = *top(question.channel);
    const auto& since = question.query.since;
    if (since && since->epoch == answer.top.epoch) {
      for (std::uint64_t offset = std::max(since->offset, trimmed_to(question.channel)) + 1;
           offset <= answer.top.offset && answer.publications.size() < question.query.limit;
           ++offset)
        answer.publications.push_back(
            {offset, *at(question.channel, {answer.top.epoch, offset}), ""});
    }
    events_->history(question.id, std::move(answer));
  }
  void refuse_questions() {
    for (const Question& question : std::exchange(questions_, {})) {
      if (question.presence) {
        events_->presence(question.id, {.error = "away", .clients = 0, .users = 0, .entries = {}});
      } else {
        events_->history(question.id, {.error = "away", .top = {}, .publications = {}});
      }
    }
  }
  /// As PROTOCOL.md's brokers do: what was missed comes first, as far as the history has it.
  void confirm_history(const std::string& channel, std::optional<Duration> uncovered) {
    const proto::Position now = *top(channel);
    const auto told = told_.find(channel);
    if (told != told_.end() && told->second.epoch == now.epoch) {
      const std::uint64_t trimmed = trimmed_to(channel);
      if (told->second.offset < trimmed) {
        told->second.offset = trimmed;
        events_->position_lost(channel, told->second);
      }
      for (std::uint64_t offset = told->second.offset + 1; offset <= now.offset; ++offset)
        events_->message(channel, proto::as_bytes(*at(channel, {now.epoch, offset})), {},
                         proto::Position{now.epoch, offset});
      uncovered.reset();
    }
    told_[channel] = now;
    events_->subscribed(channel, uncovered, now);
  }

  std::size_t record(const std::string& channel, const std::string& payload) {
    log_[channel].push_back(payload);
    return log_[channel].size();
  }
  void arrive(const std::string& channel, const std::string& payload) {
    record(channel, payload);
    if (live_.contains(channel)) undelivered_.push_back({0, channel, payload, top(channel)});
  }
  void confirm_one() {
    const std::string channel = *unconfirmed_.begin();
    unconfirmed_.erase(unconfirmed_.begin());
    live_.insert(channel);
    const auto covered = covered_until_.find(channel);
    std::optional<Duration> uncovered;
    if (covered != covered_until_.end()) uncovered = time_.now() - covered->second;
    covered_until_[channel] = time_.now();
    if (histories_.contains(channel)) {
      confirm_history(channel, uncovered);
    } else {
      events_->subscribed(channel, uncovered, std::nullopt);
    }
    if (recovering_ && unconfirmed_.empty()) {
      recovering_ = false;
      events_->broker_connected();
    }
  }
  void take_one() {
    const Pending p = in_flight_.front();
    in_flight_.pop_front();
    arrive(p.channel, p.payload);
    if (p.id != 0) events_->published(p.id, relay::PublishOutcome::kPublished, "", top(p.channel));
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
    if (!live_.contains(p.channel)) return;
    // What came as missed before does not come twice.
    if (p.position && !p.lost) {
      const proto::Position& told = told_[p.channel];
      if (told.epoch == p.position->epoch && p.position->offset <= told.offset) return;
    }
    if (p.position) told_[p.channel] = *p.position;
    if (p.lost) return events_->position_lost(p.channel, *p.position);
    events_->message(p.channel, proto::as_bytes(p.payload), {}, p.position);
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
  std::map<std::string, History> histories_;
  std::map<std::uint64_t, std::size_t> bases_;   ///< by epoch: where it begins in the log
  std::map<std::string, proto::Position> told_;  ///< to the relay, while it wants the channel
  std::map<std::string, TimePoint> present_;
  std::deque<Question> questions_;
  std::deque<Pending> in_flight_;
  std::deque<Pending> undelivered_;
  std::vector<relay::PublishId> lost_;
  std::vector<relay::PublishId> refused_;
  std::map<std::string, std::vector<std::string>> log_;
  std::map<std::string, std::uint64_t> besides_;  ///< by channel: published beside its history
};

}  // namespace sluice::sim
