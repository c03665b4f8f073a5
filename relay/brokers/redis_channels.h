// Step 8 of a message's path, between what Redis calls things and what the Router does: names,
// envelopes, and for channels with history the continuity. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/brokers/broker.h"
#include "relay/brokers/redis_continuity.h"
#include "relay/brokers/redis_hearing.h"
#include "relay/transparent_hash.h"

namespace sluice::relay {

/// Who asks Redis. As RedisContinuityPort has it.
class RedisAsker {
 public:
  virtual ~RedisAsker() = default;
  virtual void ask_position(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                            std::optional<proto::Position> heard) = 0;
  virtual void ask_missing(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                           proto::Position since) = 0;
  virtual void caught_up() = 0;
};

/// Nothing but 64-bit counters.
struct RedisChannelsStats {
  std::uint64_t too_large = 0;   ///< over what a relay link carries
  std::uint64_t unreadable = 0;  ///< no envelope of ours where one should be
};

class RedisChannels final : public RedisHearing, RedisContinuityPort {
  friend struct RedisChannelsCodec;  // handover/

 public:
  explicit RedisChannels(RedisAsker& asker) : asker_(asker), continuity_(*this) {}
  void start(BrokerEvents& events) { events_ = &events; }

  /// Wanted from now on. The names under which it is heard; the options of one that was wanted
  /// already stay.
  [[nodiscard]] std::vector<std::string> add(std::string_view channel,
                                             const ChannelOptions& options);
  /// The names under which it was heard.
  [[nodiscard]] std::vector<std::string> remove(std::string_view channel);
  /// The name under which its own messages come: once it is confirmed, so is the channel.
  [[nodiscard]] std::string name_of(std::string_view channel) const;
  /// Its history says what comes, not the subscription alone.
  [[nodiscard]] bool has_history(std::string_view channel) const {
    return continuity_.has(channel);
  }

  [[nodiscard]] RedisContinuity& continuity() { return continuity_; }
  [[nodiscard]] const RedisContinuity& continuity() const { return continuity_; }
  [[nodiscard]] const RedisChannelsStats& stats() const { return stats_; }

  void confirmed(std::string_view name, std::optional<Duration> uncovered) override;
  void heard(std::string_view name, proto::Bytes bytes) override;
  void heard(std::string_view name, EntryDraft bytes) override;
  void heard_oversized(std::string_view name, std::uint64_t bytes) override;
  void subscriber_lost() override { continuity_.subscriber_lost(); }

 private:
  [[nodiscard]] std::vector<std::string> names_of(std::string_view channel) const;
  void ask_position(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                    std::optional<proto::Position> heard) override {
    asker_.ask_position(ask, channel, options, heard);
  }
  void ask_missing(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                   proto::Position since) override {
    asker_.ask_missing(ask, channel, options, since);
  }
  void resumed(std::string_view channel, proto::Position position) override {
    events_->subscribed(channel, std::nullopt, position);
  }
  void next(std::string_view channel, proto::Position position, proto::Bytes payload,
            proto::Bytes meta) override {
    events_->message(channel, payload, meta, position);
  }
  void lost(std::string_view channel, proto::Position position) override {
    events_->position_lost(channel, position);
  }
  void caught_up() override { asker_.caught_up(); }

  void heard_enveloped(std::string_view channel, proto::Bytes bytes);
  void oversized(std::string_view channel, std::uint64_t bytes);
  /// One that has no place in a history.
  void plain_oversized(std::string_view channel, std::uint64_t bytes);

  RedisAsker& asker_;
  BrokerEvents* events_ = nullptr;
  StringMap<ChannelOptions> enveloped_;  ///< channels that are heard so
  RedisContinuity continuity_;           ///< of those among them that have a history
  std::string text_;                     ///< of a name that is put together
  RedisChannelsStats stats_;
};

}  // namespace sluice::relay
