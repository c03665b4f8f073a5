// Who is in which channel: entries channel × client, in the order in which they were last set. The
// relay has one per gateway id, and sets the oldest again at the broker; the memory broker has one
// for all. Pure; the owner bounds the number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/check.h"
#include "common/clock.h"
#include "relay/brokers/broker.h"
#include "relay/transparent_hash.h"

namespace sluice::relay {

class PresenceTable {
 public:
  struct Entry {
    const std::string* channel = nullptr;  ///< owned by the table, as is the next
    const std::string* client = nullptr;
    std::string user;
    std::string info;
    TimePoint set_at{};
    std::uint64_t said_on = 0;  ///< the link that said it last
    std::uint64_t round = 0;    ///< in which it was last set
  };
  /// When and why it is set.
  struct Stamp {
    TimePoint now{};
    std::uint64_t said_on = 0;
    std::uint64_t round = 0;
  };

  PresenceTable() = default;
  PresenceTable(PresenceTable&&) = default;
  PresenceTable& operator=(PresenceTable&&) = default;
  PresenceTable(const PresenceTable&) = delete;
  PresenceTable& operator=(const PresenceTable&) = delete;

  [[nodiscard]] bool contains(std::string_view channel, std::string_view client) const;
  /// False: it was there and is the same. Its age stays then; who said it last does not.
  bool set(std::string_view channel, std::string_view client, std::string_view user,
           std::string_view info, const Stamp& stamp);
  /// Nothing: it was not there.
  std::optional<PresenceEntry> clear(std::string_view channel, std::string_view client);
  /// The entry that was set longest ago; null: none. Good until the next change.
  [[nodiscard]] const Entry* oldest() const { return order_.empty() ? nullptr : &order_.front(); }
  /// It has just been set again, and with it all of its channel where these are no more than
  /// `entries_max`; `use` gets each. So entries of a channel come to stand together, whoever's they
  /// are, and the broker is told of many in one call.
  template <typename Use>
  std::size_t touch_oldest(TimePoint now, std::uint64_t round, std::size_t entries_max, Use use);
  /// Takes it out.
  [[nodiscard]] PresenceChange take_oldest();
  /// Takes out all that were not said on this link; `use` gets each as a change.
  template <typename Use>
  void drop_unsaid(std::uint64_t link, Use use);

  /// Of a channel: null when nobody is there.
  using Room = StringMap<std::list<Entry>::iterator>;
  [[nodiscard]] const Room* room(std::string_view channel) const;

  /// Oldest first.
  [[nodiscard]] const std::list<Entry>& entries() const { return order_; }
  [[nodiscard]] std::size_t size() const { return order_.size(); }
  [[nodiscard]] bool empty() const { return order_.empty(); }
  [[nodiscard]] std::size_t channels() const { return rooms_.size(); }

 private:
  [[nodiscard]] PresenceEntry erase(std::list<Entry>::iterator entry);

  std::list<Entry> order_;
  StringMap<Room> rooms_;
};

template <typename Use>
std::size_t PresenceTable::touch_oldest(TimePoint now, std::uint64_t round, std::size_t entries_max,
                                        Use use) {
  CHECK(!order_.empty());
  const auto touch = [&](std::list<Entry>::iterator entry) {
    entry->set_at = now;
    entry->round = round;
    order_.splice(order_.end(), order_, entry);
    use(std::as_const(*entry));
  };
  const Room* all = room(*order_.front().channel);
  CHECK(all != nullptr);
  if (all->size() > entries_max) {
    touch(order_.begin());
    return 1;
  }
  for (const auto& [client, entry] : *all) touch(entry);
  return all->size();
}

template <typename Use>
void PresenceTable::drop_unsaid(std::uint64_t link, Use use) {
  for (auto it = order_.begin(); it != order_.end();) {
    const auto current = it++;
    if (current->said_on == link) continue;
    PresenceChange change{*current->channel, {}, false};
    change.entry = erase(current);
    use(std::move(change));
  }
}

}  // namespace sluice::relay
