// What the scripts answer (scripts/*.lua), taken apart. Nothing: not an answer of theirs.
#pragma once

#include <hiredis/hiredis.h>

#include <optional>

#include "relay/brokers/broker.h"

namespace sluice::relay {

/// {epoch, offset}.
[[nodiscard]] std::optional<proto::Position> read_position(const redisReply& reply);
/// Publications in strict order, none above the top.
[[nodiscard]] std::optional<HistoryAnswer> read_history(const redisReply& reply, bool reverse);
[[nodiscard]] std::optional<PresenceAnswer> read_presence(const redisReply& reply);

/// An entry's value in Redis.
[[nodiscard]] std::string presence_value(const PresenceEntry& entry);

}  // namespace sluice::relay
