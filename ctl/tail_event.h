// What `sluice tail` tells, and how it is written: a line for a person, a JSON object for a
// program. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "proto/frame.h"

namespace sluice::ctl {

using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

struct TailEvent {
  enum class Kind { kSubscribed, kMessage, kGap, kBroker, kLinkLost, kLinkBack };
  Kind kind = Kind::kMessage;
  WallTime time{};
  std::string channel;
  proto::Position position;  ///< of the message; else the channel goes on behind it
  bool beside = false;       ///< kMessage: without a place in the history; where the channel stood
  std::string text;          ///< payload as it is; reason of kBroker and kLinkLost
  // kGap
  std::string cause;
  std::uint64_t missing = proto::kCountUnknown;
  std::uint64_t duration_ms = 0;
  // kSubscribed: again, and nothing is missing. kBroker: connected.
  bool good = true;
};

struct TailStyle {
  bool colours = false;
  /// A longer text is cut for the eye; 0: never.
  std::size_t text_bytes_max = 0;
};

/// Without the newline. Nothing in it moves a terminal's cursor.
[[nodiscard]] std::string tail_line(const TailEvent& event, const TailStyle& style);
/// Text that is UTF-8 stands in `text`, anything else in `base64`.
[[nodiscard]] std::string tail_json(const TailEvent& event);

}  // namespace sluice::ctl
