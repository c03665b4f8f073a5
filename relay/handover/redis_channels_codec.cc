#include "relay/handover/redis_channels_codec.h"

#include <string>

#include "proto/limits.h"
#include "relay/brokers/redis_keys.h"

namespace sluice::relay {
namespace {

constexpr std::size_t kEnvelopedBytesMin = 8 + 1 + 4 + 8 + 1;

}  // namespace

void RedisChannelsCodec::write(StateWriter& out, const RedisChannels& channels) {
  out.number<std::uint64_t>(channels.enveloped_.size());
  for (const auto& [name, options] : channels.enveloped_) {
    out.text(name);
    out.number(options.history_size);
    out.number<std::int64_t>(options.history_ttl.count());
    out.flag(options.envelope);
    if (!options.history()) continue;
    const RedisContinuity::Channel& channel =
        channels.continuity_.channels_.find(std::string_view(name))->second;
    out.flag(channel.phase == RedisContinuity::Phase::kLive);
    out.flag(channel.at.has_value());
    if (channel.at) out.position(*channel.at);
  }
}

void RedisChannelsCodec::read(StateReader& in, RedisChannels& channels,
                              const RedisSubscriptions& subscriptions) {
  const std::size_t count = in.count("enveloped channels", kEnvelopedBytesMin);
  for (std::size_t i = 0; i < count && in.good(); ++i) read_channel(in, channels, subscriptions);
}

void RedisChannelsCodec::read_channel(StateReader& in, RedisChannels& channels,
                                      const RedisSubscriptions& subscriptions) {
  const std::string name(in.text("enveloped channel", proto::kChannelNameBytesMax));
  ChannelOptions options;
  options.history_size = in.number<std::uint32_t>("channel's history");
  options.history_ttl = Duration(in.number<std::int64_t>("channel's history"));
  options.envelope = in.flag("channel's envelope");
  in.require(options.history() || options.envelope, "enveloped channel", "has no envelope");
  in.require(options.history_ttl.count() >= 0, "channel's history", "ends before it begins");
  const std::string redis_name = redis_channel(name, true);
  in.require(subscriptions.is_wanted(redis_name), "enveloped channel", "is wanted by nobody");
  in.require(!options.history() || subscriptions.is_wanted(redis_channel(name, false)),
             "enveloped channel", "is not heard beside its history");
  if (!in.good()) return;
  const bool fresh = channels.enveloped_.emplace(name, options).second;
  in.require(fresh, "enveloped channel", "is there twice");
  if (!in.good() || !options.history()) return;
  RedisContinuity& continuity = channels.continuity_;
  continuity.add(name, options);
  read_continuity(in, continuity, *continuity.find(name), subscriptions.is_confirmed(redis_name));
}

void RedisChannelsCodec::read_continuity(StateReader& in, RedisContinuity& continuity,
                                         RedisContinuity::Node& node, bool confirmed) {
  RedisContinuity::Channel& channel = node.second;
  const bool live = in.flag("channel's state");
  if (in.flag("channel's position")) channel.at = in.position("channel's position");
  in.require(!channel.at || channel.at->epoch != 0, "channel's position", "has no epoch");
  in.require(!live || (confirmed && channel.at), "channel's state",
             "does not fit its subscription");
  if (!in.good() || !confirmed) return;
  channel.told = live;
  if (live) {
    channel.phase = RedisContinuity::Phase::kLive;
  } else {
    // What was heard meanwhile is before the answer.
    continuity.want(node, RedisContinuity::Phase::kWantsPosition);
  }
}

}  // namespace sluice::relay
