// Who of this gateway's clients is in which channel, as the relay is to know it, and what of that
// it has been told. Pure.
//
// A relay that has forgotten is told everything again (PROTOCOL.md, Presence): in slices, and never
// more than the link takes. What could not be said at once for want of room is said later as well,
// so the link's output is never a place where presence piles up.
//
// Each entry costs eight bytes; what is told of a client stands once for all of its channels, as
// long as it is the same in all.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/client_session.h"
#include "proto/frame.h"

namespace sluice::gateway {

/// Where presence is said: the link to the relay, and the names of channels.
class PresenceSink {
 public:
  virtual ~PresenceSink() = default;
  /// The relay keeps presence, and more may be said now.
  [[nodiscard]] virtual bool takes_presence() const = 0;
  virtual void say(const proto::PresenceSet& set) = 0;
  virtual void say(const proto::PresenceClear& clear) = 0;
  virtual void say_synced() = 0;
  /// It does not take what it was to be told: only a new link can put that right.
  virtual void presence_overrun() = 0;
  [[nodiscard]] virtual std::string_view presence_channel(std::uint32_t channel) const = 0;
};

class PresenceBook {
 public:
  explicit PresenceBook(PresenceSink& sink) : sink_(sink) {}

  /// The client is in the channel, or what is told of it there has changed. Client and user are
  /// the session's first ones. Over kPresenceEntriesMax: not taken, and counted.
  void set(ClientRef session, std::uint32_t channel, const proto::PresenceSet& presence);
  /// Idempotent. The channel still has its name.
  void clear(ClientRef session, std::uint32_t channel);

  /// A link has begun: the relay is to be told everything.
  void link_began();
  void link_lost();
  /// Says so much that is not said yet. True: there is more, and room for it.
  bool run(std::size_t entries_max);

  [[nodiscard]] std::size_t entries() const { return entries_; }
  /// Entries that were not taken, ever.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }
  /// The relay knows all of it.
  [[nodiscard]] bool said() const { return synced_ && clears_.empty() && unsaid_.empty(); }

 private:
  struct Entry {
    std::uint32_t channel = 0;
    std::uint32_t info : 31 = 0;  ///< index in the member's infos
    std::uint32_t said : 1 = 0;   ///< on the link that Member::link is of
  };
  struct Info {
    std::string bytes;
    std::uint32_t uses = 0;  ///< 0: the place is free
  };
  struct Member {
    std::string client;
    std::string user;
    std::vector<Info> infos;
    std::vector<Entry> entries;
    std::uint32_t link = 0;  ///< `said` is of this one of links_
  };
  struct Cleared {
    std::string channel;
    std::string client;
  };

  [[nodiscard]] Member* find(ClientRef session) const;
  [[nodiscard]] static std::uint32_t take_info(Member& member, proto::Bytes bytes);
  static void give_back_info(Member& member, std::uint32_t info);
  /// What was said on an earlier link counts no more.
  void renew(Member& member) const;
  void say_or_list(std::uint32_t index, Member& member, Entry& entry);
  void say_or_list(const proto::PresenceClear& cleared);
  void say(const Member& member, Entry& entry);
  /// Up to so many of the member's; counts them off. False: not all.
  [[nodiscard]] bool say_all(Member& member, std::size_t& entries_max);
  [[nodiscard]] bool run_clears(std::size_t& entries_max);
  [[nodiscard]] bool run_unsaid(std::size_t& entries_max);
  [[nodiscard]] bool run_sync(std::size_t& entries_max);

  PresenceSink& sink_;
  std::vector<std::unique_ptr<Member>> members_;  ///< by session slot
  std::size_t entries_ = 0;
  std::uint64_t refused_ = 0;
  std::uint32_t links_ = 0;
  bool up_ = false;
  bool synced_ = false;               ///< on this link
  std::size_t cursor_ = 0;            ///< of the sync: members before it have been told
  std::deque<Cleared> clears_;        ///< not told, at most kPresenceEntriesMax
  std::deque<std::uint32_t> unsaid_;  ///< slots of members with something that is not told
  std::vector<bool> listed_;          ///< by slot: in unsaid_
};

}  // namespace sluice::gateway
