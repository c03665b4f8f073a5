// What one link has asked of history and presence and has not been told: requests that wait,
// answers of the broker that wait to be read, the answer that is being said. Plain data, owned by
// the Router (router_requests.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/ref_ptr.h"
#include "proto/frame.h"
#include "relay/brokers/broker.h"
#include "relay/replay_ring.h"

namespace sluice::relay {

struct LinkRequest {
  enum class Kind : std::uint8_t { kHistory, kPresence };
  Kind kind = Kind::kHistory;
  bool recover = false;      ///< kHistory: whole or nothing
  bool counts_only = false;  ///< kPresence
  std::uint8_t asked = 0;    ///< of the broker, so many times
  std::uint64_t request = 0;
  proto::HistoryQuery query;
  std::string channel;

  /// Memory that it costs while it waits.
  [[nodiscard]] std::size_t cost() const { return sizeof(LinkRequest) + channel.size(); }
};

struct RequestRefusal {
  proto::ErrorReason reason{};
  std::string text;
};

/// What the broker has said, or why it was not asked.
struct HeldAnswer {
  LinkRequest asked;
  std::variant<HistoryAnswer, PresenceAnswer, RequestRefusal> answer;

  [[nodiscard]] std::size_t cost() const;
};

/// Said in one piece: no message of the link's channels stands between its items.
struct AnswerUnderWay {
  std::uint64_t request = 0;
  bool of_presence = false;
  // HISTORY: what the broker had, and what the ring had.
  std::vector<HistoryPublication> publications;
  std::vector<RefPtr<const RingEntry>> entries;
  bool entries_first = false;
  proto::HistoryEnd history_end;
  // PRESENCE
  std::vector<PresenceEntry> people;
  proto::PresenceEnd presence_end;
  std::size_t said = 0;  ///< items
};

struct LinkRequests {
  std::deque<LinkRequest> waiting;     ///< looked at when their turn comes: most need no broker
  std::deque<LinkRequest> for_broker;  ///< to be asked of it when it has room
  std::size_t in_flight = 0;           ///< at the broker
  std::deque<HeldAnswer> answered;
  std::optional<AnswerUnderWay> current;
  std::size_t waiting_bytes = 0;  ///< of waiting and for_broker
  std::size_t held_bytes = 0;     ///< of answered
  bool in_turn = false;           ///< stands in the Router's list of who asks the broker

  [[nodiscard]] std::size_t count() const {
    return waiting.size() + for_broker.size() + in_flight + answered.size() +
           (current ? std::size_t{1} : std::size_t{0});
  }
  /// Something can be said.
  [[nodiscard]] bool ready() const { return current || !answered.empty() || !waiting.empty(); }

  void wait(LinkRequest request);
  void wait_for_broker(LinkRequest request);
  [[nodiscard]] LinkRequest take_waiting();
  [[nodiscard]] LinkRequest take_for_broker();
  void hold(HeldAnswer answer);
  [[nodiscard]] HeldAnswer take_answered();
};

/// What is to be said next. Views live until the next call.
struct AnswerPiece {
  enum class Kind { kNothing, kPublication, kHistoryEnd, kPerson, kPresenceEnd, kRefusal };
  Kind kind = Kind::kNothing;
  proto::HistoryItem item;           ///< kPublication
  const RingEntry* entry = nullptr;  ///< kPublication: where its bytes lie, if in the ring
  proto::HistoryEnd history_end;
  proto::PresenceItem person;
  proto::PresenceEnd presence_end;
  std::uint64_t request = 0;  ///< kRefusal
  RequestRefusal refusal;
};

}  // namespace sluice::relay
