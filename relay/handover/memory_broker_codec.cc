#include "relay/handover/memory_broker_codec.h"

#include <string>
#include <utility>

#include "relay/handover/presence_codec.h"

namespace sluice::relay {
namespace {

constexpr std::size_t kHistoryBytesMin = 8 + 16 + 8 + 8 + 8;
constexpr std::size_t kPublicationBytesMin = 8 + 8;

}  // namespace

void MemoryBrokerCodec::write(StateWriter& out, const MemoryBroker& broker) {
  write_histories(out, broker.history_);
  PresenceCodec::write(out, broker.present_);
}

void MemoryBrokerCodec::read(StateReader& in, MemoryBroker& broker) {
  read_histories(in, broker.history_);
  PresenceCodec::read(in, broker.present_, kMemoryPresenceMax);
}

void MemoryBrokerCodec::write_histories(StateWriter& out, const MemoryHistory& history) {
  out.number(history.evicted_);
  out.number<std::uint64_t>(history.channels_.size());
  for (const auto& [name, one] : history.channels_) {
    out.text(name);
    out.position(one.top);
    out.time(one.used_at);
    out.time(one.expires_at);
    out.number<std::uint64_t>(one.kept.size());
    for (const MemoryHistory::Kept& kept : one.kept) {
      out.text(kept.payload);
      out.text(kept.meta);
    }
  }
}

void MemoryBrokerCodec::read_histories(StateReader& in, MemoryHistory& history) {
  history.evicted_ = in.number<std::uint64_t>("publications evicted");
  const std::size_t count = in.count("histories", kHistoryBytesMin);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    const std::string_view name = in.text("history's channel", proto::kChannelNameBytesMax);
    MemoryHistory::History one;
    one.top = in.position("history's top");
    one.used_at = in.time("history's last use");
    one.expires_at = in.time("history's end");
    in.require(!name.empty() && !history.channels_.contains(name), "history's channel",
               "is empty, or there twice");
    in.require(one.top.epoch != 0, "history's epoch", "is 0");
    read_publications(in, history, one);
    if (!in.good()) return;
    const auto& placed = *history.channels_.emplace(std::string(name), std::move(one)).first;
    history.by_use_.emplace(placed.second.used_at, &placed.first);
    history.by_expiry_.emplace(placed.second.expires_at, &placed.first);
    if (!placed.second.kept.empty())
      history.by_use_full_.emplace(placed.second.used_at, &placed.first);
  }
}

void MemoryBrokerCodec::read_publications(StateReader& in, MemoryHistory& all,
                                          MemoryHistory::History& history) {
  const std::size_t count = in.count("publications", kPublicationBytesMin);
  in.require(count <= history.top.offset, "publications", "are more than there were");
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    MemoryHistory::Kept kept;
    kept.payload = in.text("publication's payload", proto::kPayloadBytesMax);
    kept.meta = in.text("publication's meta", proto::kMetaBytesMax);
    all.bytes_ += kept.cost();
    history.kept.push_back(std::move(kept));
  }
}

}  // namespace sluice::relay
