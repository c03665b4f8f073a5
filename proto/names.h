// Channels that no client can name: they begin with a byte that no public name has. They are
// ordinary channels of the link; a broker that is shared with others maps them to names of its own
// (relay/brokers/redis_keys.h).
#pragma once

#include <string>
#include <string_view>

namespace sluice::proto {

inline constexpr char kInternalMark = '\x01';
/// Commands for every gateway of every host (envelope.proto, ControlCommand).
inline constexpr std::string_view kControlChannel =
    "\x01"
    "control";
/// What relays tell of themselves (NodeInfo).
inline constexpr std::string_view kNodesChannel =
    "\x01"
    "nodes";
inline constexpr std::string_view kMembersPrefix =
    "\x01"
    "members\x01";
inline constexpr std::string_view kReplyPrefix =
    "\x01"
    "reply\x01";
/// Public names do not begin so: a shared broker's keys do.
inline constexpr std::string_view kReservedPrefix = "sluice:";

/// Who joins and leaves `channel` (Membership).
[[nodiscard]] std::string members_channel(std::string_view channel);
/// The channel whose members channel this is; empty: it is none.
[[nodiscard]] std::string_view channel_of_members(std::string_view name);
/// Where one node hears answers to what it has asked (SurveyReply).
[[nodiscard]] std::string reply_channel(std::string_view node);
[[nodiscard]] inline bool is_internal(std::string_view name) {
  return !name.empty() && name.front() == kInternalMark;
}
/// A channel that clients and the server API may name: 1 to 255 bytes of UTF-8 without control
/// characters, not beginning with kReservedPrefix.
[[nodiscard]] bool is_public_name(std::string_view name);

}  // namespace sluice::proto
