// Steps 4 and 11: what is asked of the relay (HISTORY, PRESENCE) and not answered yet, and the
// answer that is being put together. Part of RelayLink; pure.
//
// Questions change nothing, so they outlive a connection: each link that begins is asked what is
// still unanswered, until its time is up.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "gateway/protocols/client_protocol.h"
#include "proto/frame.h"

namespace sluice::gateway {

/// Of a request: never 0.
using RequestId = std::uint64_t;

struct LinkQuestion {
  enum class Kind : std::uint8_t { kHistory, kRecover, kPresence, kPresenceCounts };
  Kind kind{};
  std::string channel;
  proto::HistoryQuery query{};  ///< kHistory, kRecover
};

struct HistoryAnswer {
  bool complete = false;  ///< kRecover: nothing is missing between `since` and `top`
  proto::Position top;
  std::span<const PublicationView> publications;  ///< for the call
};

/// What becomes of them. From inside, more may be asked.
class LinkAnswers {
 public:
  virtual ~LinkAnswers() = default;
  virtual void history(RequestId /*request*/, const HistoryAnswer& /*answer*/) {}
  virtual void presence(RequestId /*request*/, const PresenceFound& /*found*/) {}
  virtual void request_failed(RequestId /*request*/, proto::ErrorReason /*reason*/) {}
};

class LinkRequests {
 public:
  explicit LinkRequests(LinkAnswers& answers) : answers_(answers) {}

  /// Ids rise. False: too many are unanswered.
  [[nodiscard]] bool add(RequestId request, LinkQuestion question, TimePoint now);
  /// Whatever was asked is asked again, with the whole time to answer.
  void link_began(TimePoint now);
  void link_lost() { answer_ = {}; }
  /// Writes questions while `out` has less than so many bytes.
  void ask(std::string& out, std::size_t bytes_max);
  /// All come to nothing.
  void fail_all(proto::ErrorReason reason);
  /// Those whose time is up.
  void expire(TimePoint now);

  // What the relay says; of a request whose time was up, nobody's. An error: not as PROTOCOL.md
  // says.
  [[nodiscard]] Result<void> take(const proto::HistoryItem& item);
  [[nodiscard]] Result<void> take(const proto::HistoryEnd& end);
  [[nodiscard]] Result<void> take(const proto::PresenceItem& item);
  [[nodiscard]] Result<void> take(const proto::PresenceEnd& end);
  /// False: none of ours.
  [[nodiscard]] bool take_error(RequestId request, proto::ErrorReason reason);

  [[nodiscard]] std::size_t size() const { return asked_.size(); }

 private:
  struct Asked {
    LinkQuestion question;
    TimePoint deadline;
  };
  /// Items as they come: the decoder's buffer moves under them.
  struct Answer {
    struct Item {
      std::uint64_t offset = 0;
      std::size_t first_bytes = 0;   ///< payload; client
      std::size_t second_bytes = 0;  ///< meta; info
    };
    RequestId request = 0;  ///< 0: none under way
    std::vector<Item> items;
    std::string bytes;
    bool too_large = false;
  };

  [[nodiscard]] static bool of_history(const LinkQuestion& question) {
    return question.kind == LinkQuestion::Kind::kHistory ||
           question.kind == LinkQuestion::Kind::kRecover;
  }
  [[nodiscard]] Result<void> add_item(RequestId request, bool history, std::uint64_t offset,
                                      proto::Bytes first, proto::Bytes second);
  /// Takes the request out. False: nobody waits for it.
  [[nodiscard]] Result<bool> close_answer(RequestId request, bool history, Answer& answer);
  void forget(RequestId request);

  LinkAnswers& answers_;
  std::map<RequestId, Asked> asked_;  ///< in the order of ids, and so of deadlines
  RequestId next_unasked_ = 0;        ///< those from here on were not asked on this link
  Answer answer_;
};

}  // namespace sluice::gateway
