#include "relay/brokers/redis_keys.h"

#include "proto/names.h"

namespace sluice::relay {
namespace {

using proto::kReservedPrefix;

constexpr std::string_view kControl = "control";
constexpr std::string_view kNodes = "nodes";
constexpr std::string_view kReply = "reply:";
constexpr std::string_view kMembers = ":members";
/// A channel that is called like one of ours, and is not (a tool may name any).
constexpr std::string_view kRaw = "raw:";

std::string reserved(std::string_view rest) {
  return std::string(kReservedPrefix).append(rest);
}

/// The tag ends with the last '}': no suffix of ours has one.
std::string tagged(std::string_view channel, std::string_view suffix) {
  std::string name(kReservedPrefix);
  return name.append("{").append(channel).append("}").append(suffix);
}

std::string internal_channel(std::string_view channel) {
  if (channel == proto::kControlChannel) return reserved(kControl);
  if (channel == proto::kNodesChannel) return reserved(kNodes);
  if (const std::string_view of = proto::channel_of_members(channel); !of.empty()) {
    return tagged(of, kMembers);
  }
  if (channel.starts_with(proto::kReplyPrefix)) {
    return reserved(kReply).append(channel.substr(proto::kReplyPrefix.size()));
  }
  return std::string(channel);
}

HeardChannel heard_tagged(std::string_view rest, std::string& text) {
  const std::size_t end = rest.rfind('}');
  if (end == std::string_view::npos || end == 1) return {};
  const std::string_view channel = rest.substr(1, end - 1);
  const std::string_view suffix = rest.substr(end + 1);
  if (suffix.empty()) return {channel, true};
  if (suffix != kMembers) return {};
  text = proto::members_channel(channel);
  return {text};
}

}  // namespace

std::string redis_channel(std::string_view channel, bool envelope) {
  if (proto::is_internal(channel)) return internal_channel(channel);
  if (envelope) return tagged(channel, {});
  if (channel.starts_with(kReservedPrefix)) return reserved(kRaw).append(channel);
  return std::string(channel);
}

HeardChannel heard_channel(std::string_view redis_name, std::string& text) {
  if (!redis_name.starts_with(kReservedPrefix)) return {redis_name};
  const std::string_view rest = redis_name.substr(kReservedPrefix.size());
  if (rest.starts_with('{')) return heard_tagged(rest, text);
  if (rest.starts_with(kRaw)) {
    const std::string_view name = rest.substr(kRaw.size());
    return name.starts_with(kReservedPrefix) ? HeardChannel{name} : HeardChannel{};
  }
  if (rest == kControl) return {proto::kControlChannel};
  if (rest == kNodes) return {proto::kNodesChannel};
  if (!rest.starts_with(kReply)) return {};
  text = proto::reply_channel(rest.substr(kReply.size()));
  return {text};
}

std::array<std::string, 2> history_keys(std::string_view channel) {
  return {tagged(channel, ":position"), tagged(channel, ":stream")};
}

std::array<std::string, 3> presence_keys(std::string_view channel) {
  return {tagged(channel, ":presence"), tagged(channel, ":presence-users"),
          tagged(channel, ":presence-expiry")};
}

}  // namespace sluice::relay
