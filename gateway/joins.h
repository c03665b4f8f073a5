// Sessions that wait to become subscribers of a channel (ProtocolActions::join): which session,
// which channel, how far it has come. Each join stands in a row of its channel, in one of its
// session, and while it can go on in the row of those that are ready; adding, finding and taking
// out cost no walk over other sessions'. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "gateway/client_session.h"
#include "gateway/link_requests.h"

namespace sluice::gateway {

enum class JoinStage : std::uint8_t {
  kWaiting,  ///< for the channel: not confirmed, or its position is not known
  kReady,    ///< can go on
  kAsked,    ///< for the answer to HISTORY
  kBehind,   ///< for the link: it has not carried yet what the client has
};

struct Join {
  ClientRef session;
  std::uint32_t channel = 0;
  Ticket ticket = 0;
  std::optional<proto::Position> since{};
  std::uint32_t recover_max = 0;
  RequestId request = 0;  ///< kAsked
};

class Joins {
 public:
  using Id = std::uint32_t;
  static constexpr Id kNone = ~Id{0};

  /// kWaiting.
  Id add(const Join& join);
  /// Out of all rows.
  Join take(Id id);
  [[nodiscard]] Join& at(Id id) { return places_[id].join; }
  [[nodiscard]] JoinStage stage(Id id) const { return places_[id].stage; }
  /// kReady: behind all that are ready.
  void move_to(Id id, JoinStage stage);

  /// kNone: it does not wait for that channel.
  [[nodiscard]] Id find(ClientRef session, std::uint32_t channel) const;
  // kNone: no more.
  [[nodiscard]] Id first_of_session(ClientRef session) const;
  [[nodiscard]] Id first_of_channel(std::uint32_t channel) const;
  [[nodiscard]] Id next_of_channel(Id id) const { return places_[id].in_channel.next; }
  [[nodiscard]] Id first_ready() const { return ready_.first; }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Link {
    Id previous = kNone;
    Id next = kNone;
  };
  struct Row {
    Id first = kNone;
    Id last = kNone;
  };
  struct Place {
    Join join;
    JoinStage stage = JoinStage::kWaiting;
    Link in_channel;
    Link in_session;
    Link in_ready;
  };
  using Rows = std::unordered_map<std::uint32_t, Row>;

  void append(Row& row, Link Place::*link, Id id);
  void unlink(Row& row, Link Place::*link, Id id);
  void unlink(Rows& rows, std::uint32_t key, Link Place::*link, Id id);

  std::vector<Place> places_;
  std::vector<Id> free_;
  std::size_t size_ = 0;
  Rows by_channel_;
  Rows by_session_;  ///< by slot
  Row ready_;
};

}  // namespace sluice::gateway
