#include "relay/relay_log.h"

#include "common/log.h"
#include "common/log_value.h"
#include "proto/limits.h"
#include "relay/limits.h"

namespace sluice::relay {

void RelayLog::broker_connected() {
  log_info("broker connected");
}

void RelayLog::broker_away(std::string_view reason) {
  log_warn("broker away: {}", reason);
  gap_lines_ = 0;
}

void RelayLog::channel_subscribed(std::string_view channel) {
  log_info("subscribed to {}", log_value(channel));
}

void RelayLog::channel_unsubscribed(std::string_view channel) {
  log_info("unsubscribed from {}", log_value(channel));
}

bool RelayLog::gap_line() {
  if (gap_lines_ >= kGapLogLinesMax) {
    ++gaps_unsaid_;
    return false;
  }
  ++gap_lines_;
  return true;
}

void RelayLog::messages_lost(std::string_view channel, std::uint64_t count) {
  if (!gap_line()) return;
  log_warn("gap on {}: broker, {} messages are not in its history any more", log_value(channel),
           count);
}

void RelayLog::presence_full(std::string_view gateway_id) {
  log_warn("gateway {} says that more than {} clients are in channels: the others are not shown",
           gateway_id, kPresenceEntriesMax);
}

void RelayLog::continuity_lost(std::string_view channel, Duration uncovered) {
  if (!gap_line()) return;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(uncovered).count();
  log_warn("gap on {}: broker, nobody listened for {} ms, number of messages unknown",
           log_value(channel), ms);
}

void RelayLog::message_oversized(std::string_view channel, std::uint64_t bytes) {
  if (oversized_ticks_ > 0) {
    ++oversized_unsaid_;
    return;
  }
  oversized_ticks_ = kOversizedLogTicks;
  log_warn("gap on {}: oversized, a message of {} bytes is more than a link carries ({})",
           log_value(channel), bytes, proto::kPayloadBytesMax);
}

void RelayLog::sum_up_oversized() {
  if (oversized_ticks_ == 0 || --oversized_ticks_ > 0 || oversized_unsaid_ == 0) return;
  log_warn("gaps: oversized, {} more messages were more than a link carries", oversized_unsaid_);
  oversized_unsaid_ = 0;
  oversized_ticks_ = kOversizedLogTicks;
}

void RelayLog::gateway_overrun(std::string_view gateway_id) {
  log_warn("gateway {} reads too slowly: its oldest messages become gaps", gateway_id);
}

void RelayLog::gateway_controlled(std::string_view gateway_id, proto::ControlAction action) {
  const bool drain = action == proto::ControlAction::kDrain;
  const bool undrain = action == proto::ControlAction::kUndrain;
  const bool upgrade = action == proto::ControlAction::kUpgrade;
  log_info("an operator asks gateway {} to {}", gateway_id,
           drain     ? "drain"
           : undrain ? "take its drain back"
           : upgrade ? "upgrade"
                     : "do what this release does not know");
}

void RelayLog::gateway_forgotten(std::string_view gateway_id) {
  log_info("gateway {} did not come back: forgotten", gateway_id);
}

void RelayLog::tick() {
  sum_up_oversized();
  // Once no more come: confirmations arrive in bursts.
  const bool settled = gaps_at_tick_ == gaps_unsaid_;
  gaps_at_tick_ = gaps_unsaid_;
  if (gaps_unsaid_ == 0 || !settled) return;
  log_warn("gaps on {} more channels: broker, number of messages unknown", gaps_unsaid_);
  gaps_unsaid_ = 0;
  gaps_at_tick_ = 0;
}

}  // namespace sluice::relay
