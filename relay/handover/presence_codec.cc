#include "relay/handover/presence_codec.h"

#include "proto/limits.h"

namespace sluice::relay {
namespace {

constexpr std::size_t kEntryBytesMin = 4 * 8 + 8 + 8 + 8;

}  // namespace

void PresenceCodec::write(StateWriter& out, const PresenceTable& table) {
  out.number<std::uint64_t>(table.size());
  for (const PresenceTable::Entry& entry : table.entries()) {
    out.text(*entry.channel);
    out.text(*entry.client);
    out.text(entry.user);
    out.text(entry.info);
    out.time(entry.set_at);
    out.number(entry.said_on);
    out.number(entry.round);
  }
}

void PresenceCodec::read(StateReader& in, PresenceTable& table, std::size_t entries_max) {
  const std::size_t count = in.count("presence entries", kEntryBytesMin);
  in.require(count <= entries_max, "presence entries", "are more than allowed");
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    const std::string_view channel = in.text("presence's channel", proto::kChannelNameBytesMax);
    const std::string_view client = in.text("presence's client", proto::kClientIdBytesMax);
    const std::string_view user = in.text("presence's user", proto::kUserBytesMax);
    const std::string_view info = in.text("presence's info", proto::kPresenceInfoBytesMax);
    PresenceTable::Stamp stamp;
    stamp.now = in.time("presence's time");
    stamp.said_on = in.number<std::uint64_t>("presence's link");
    stamp.round = in.number<std::uint64_t>("presence's round");
    in.require(!channel.empty() && !client.empty(), "presence's names", "are empty");
    in.require(!table.contains(channel, client), "presence's client", "is there twice");
    if (in.good()) (void)table.set(channel, client, user, info, stamp);
  }
}

}  // namespace sluice::relay
