// Step 12 of a message's path: from channels to their subscribers. Pure.
//
// An audience is the subscribers of one channel that speak one protocol: a dense array, each entry
// with the number of the frame that is due to it next, and a log of the frames that not everybody
// has. A walk goes round the array and gives each subscriber all that it does not have, in one
// call, however many messages that is. So the cost of a message is that of the walk, messages that
// come faster than the walk goes round are coalesced, and no delivery costs an allocation or a
// reference.
//
// Walks go in slices: run() serves the audiences that have something in turn, kFanOutQuantum
// subscribers each, up to a bound per loop turn, so that a huge audience holds up neither other
// channels nor the rest of the loop. A client of several channels that have something gets all of
// it at once, in the order of the link.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "gateway/delivery.h"
#include "gateway/frame_log.h"
#include "gateway/protocols/client_protocol.h"

namespace sluice::gateway {

class FanOut final : public DueSource {
 public:
  explicit FanOut(Delivery& delivery) : delivery_(delivery) {}

  [[nodiscard]] std::uint32_t add_audience(const ClientProtocol& protocol);
  /// It has no subscriber left.
  void remove_audience(std::uint32_t audience);
  [[nodiscard]] const ClientProtocol& protocol(std::uint32_t audience) const {
    return *audiences_[audience].protocol;
  }
  [[nodiscard]] std::size_t size(std::uint32_t audience) const {
    return audiences_[audience].subscribers.size();
  }
  [[nodiscard]] ClientSession& subscriber(std::uint32_t audience, std::size_t place) const {
    return *audiences_[audience].subscribers[place].session;
  }
  /// Link sequence above which that subscriber gets what the channel carries.
  [[nodiscard]] std::uint64_t began(std::uint32_t audience, std::size_t place) const {
    return began(audiences_[audience].subscribers[place]);
  }

  /// What comes from now on is due to the client. Adds to its subscriptions; the session must leave
  /// before it ends.
  void join(std::uint32_t audience, ClientSession& session, std::uint64_t sequence);
  /// The subscription stays in the session's list, for the caller to take out. What was due is not
  /// given any more: settle() first, if the client is to have it.
  void leave(const ClientSession& session, std::size_t subscription);
  /// Takes it out of the list behind leave(); the last one gets its place there.
  void take_out(ClientSession& session, std::size_t subscription);

  /// Adds a message to what is due to an audience.
  void append(std::uint32_t audience, const ChannelMessage& message, FrameLog::Stamp stamp);
  /// Gives a message at once to those of an audience that lack it: whose last_sequence, and whose
  /// subscription's beginning, lie below it. For a catch-up, while nothing else is due.
  void give_now(std::uint32_t audience, const ChannelMessage& message, FrameLog::Stamp stamp);
  /// Puts all that is due to anybody into the clients' queues.
  void settle_all();
  /// One slice; about so many clients get something. True: there is more to do.
  bool run(std::size_t clients_max);

  // DueSource.
  void settle(ClientSession& session) override;

  [[nodiscard]] bool idle() const { return turns_.empty(); }
  /// While something is due: everybody has been given what came up to this link sequence. A lower
  /// bound, at most two rounds behind; grows.
  [[nodiscard]] std::uint64_t settled_sequence() const { return settled_; }
  /// Nothing is due to anybody; unlike idle() also true to its word inside run().
  [[nodiscard]] bool settled() const { return pending_audiences_ == 0; }
  /// Bytes of frames that not everybody has been given.
  [[nodiscard]] std::size_t pending_bytes() const { return pending_bytes_; }
  /// Frames given to clients, never reset.
  [[nodiscard]] std::uint64_t deliveries() const { return deliveries_; }
  /// Time stamps of the messages that everybody has been given since the last call.
  [[nodiscard]] std::vector<std::uint32_t>& finished_stamps() { return finished_stamps_; }

 private:
  struct Subscriber {
    ClientSession* session = nullptr;
    std::uint32_t next = 0;          ///< frame number that is due next
    std::uint32_t subscription = 0;  ///< index in the session's list
  };
  struct Audience {
    const ClientProtocol* protocol = nullptr;
    std::vector<Subscriber> subscribers;
    FrameLog log;
    std::uint32_t cursor = 0;     ///< whose turn it is
    std::uint32_t unvisited = 0;  ///< so many from the cursor on, round the array, may lack frames
    std::uint32_t round_top = 0;  ///< log.top() when the cursor was last at the beginning: at its
                                  ///< next return everybody has what stands before
    std::uint32_t common = 0;     ///< everybody has what stands before
    std::uint32_t noted = 0;      ///< and so much of it is in finished_stamps_
    std::uint32_t mark = 0;       ///< what stood before it when the mark under way was made
    bool marked = false;          ///< not everybody has that yet
    bool waiting = false;         ///< in turns_
    bool removed = false;         ///< freed when its turn comes
  };
  /// Of one audience, frames that are due to the client at hand.
  struct Part {
    const FrameLog* log = nullptr;
    std::uint32_t from = 0;
    std::uint32_t to = 0;
  };

  [[nodiscard]] std::size_t walk(Audience& audience, std::size_t clients_max);
  void advance_cursor(Audience& audience);
  void visit(const Audience& audience, Subscriber& subscriber);
  /// Into due_: all that the session lacks, of all its audiences; it counts as given from here on.
  void collect(ClientSession& session);
  void merge_parts();
  void after_slice(std::uint32_t id);
  void finish(std::uint32_t id);
  void begin_mark();
  void unmark(Audience& audience);
  [[nodiscard]] static std::uint64_t began(const Subscriber& subscriber) {
    return subscriber.session->state.subscriptions[subscriber.subscription].began_sequence;
  }
  void note_finished(Audience& audience, std::uint32_t to);
  void mark_pending(std::uint32_t id, bool pending);
  [[nodiscard]] bool is_pending(std::uint32_t id) const {
    return (pending_bits_[id / 64] >> (id % 64) & 1U) != 0;
  }

  Delivery& delivery_;
  std::vector<Audience> audiences_;
  std::vector<std::uint32_t> free_;
  std::deque<std::uint32_t> turns_;          ///< audiences with something due, in turn
  std::vector<std::uint32_t> served_;        ///< in the slice under way
  std::vector<std::uint64_t> pending_bits_;  ///< by audience: its log holds something
  std::size_t pending_audiences_ = 0;
  std::size_t pending_bytes_ = 0;
  std::uint64_t last_sequence_ = 0;
  // settled_ moves in marks: one is made over all that is due at a time, and when each audience in
  // it has given its share, everything up to there is settled and the next one is made. So a figure
  // over all audiences costs each of them O(1) a round.
  std::uint64_t settled_ = 0;
  std::uint64_t mark_sequence_ = 0;
  std::size_t marked_ = 0;
  std::uint64_t deliveries_ = 0;
  RunPool pool_;
  FrameLog catch_up_;  ///< empty between two calls
  std::string scratch_;
  std::vector<Part> parts_;
  std::vector<RunView> due_;
  /// What due_ shows, while it can serve the next subscriber too.
  struct {
    const FrameLog* log = nullptr;
    std::uint32_t from = 0;
    std::uint32_t to = 0;
  } shown_;
  std::vector<std::uint32_t> finished_stamps_;
};

}  // namespace sluice::gateway
