// Builds frames of the relay link. Appends to the caller's buffer; never fails: bounds are the
// caller's to keep (CHECKed).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "proto/frame.h"

namespace sluice::proto {

using HeaderBytes = std::array<std::uint8_t, kHeaderBytes>;

[[nodiscard]] HeaderBytes encode_header(const Header& header);

/// The header alone, for senders that keep the payload where it is and use scatter-gather I/O:
/// header, payload, meta are then one frame.
[[nodiscard]] HeaderBytes encode_message_header(const Message& message);

/// The same for a publication of the ring that answers HISTORY.
[[nodiscard]] HeaderBytes encode_history_item_header(const HistoryItem& item);

void encode(std::string& out, const Hello& hello);
void encode(std::string& out, const Welcome& welcome);
void encode(std::string& out, const Subscribe& subscribe);
void encode(std::string& out, const Subscribed& subscribed);
void encode(std::string& out, const Publish& publish);
void encode(std::string& out, const ErrorFrame& error);
void encode(std::string& out, const Message& message);
void encode(std::string& out, const Gap& gap);
void encode(std::string& out, const BrokerState& state);
void encode(std::string& out, const Goodbye& goodbye);
void encode(std::string& out, const Status& status);
void encode(std::string& out, const StatusReply& reply);
void encode(std::string& out, const GatewayInfo& info);
void encode(std::string& out, const DrainMark& mark);
void encode(std::string& out, const Control& control);
void encode(std::string& out, const History& history);
void encode(std::string& out, const HistoryItem& item);
void encode(std::string& out, const HistoryEnd& end);
void encode(std::string& out, const PresenceSet& set);
void encode(std::string& out, const PresenceClear& clear);
void encode(std::string& out, const Presence& presence);
void encode(std::string& out, const PresenceItem& item);
void encode(std::string& out, const PresenceEnd& end);
void encode_presence_synced(std::string& out);
void encode_controlled(std::string& out, std::uint64_t request);
void encode_unsubscribe(std::string& out, std::uint32_t channel_id);
void encode_unsubscribed(std::string& out, std::uint32_t channel_id);
void encode_published(std::string& out, std::uint64_t request);
void encode_ping(std::string& out, std::uint64_t token);
void encode_pong(std::string& out, std::uint64_t token);

}  // namespace sluice::proto
