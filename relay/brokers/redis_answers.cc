#include "relay/brokers/redis_answers.h"

#include <charconv>
#include <span>
#include <string_view>
#include <utility>

#include "proto/limits.h"
#include "relay/brokers/redis_envelope.h"
#include "relay/brokers/redis_handshake.h"

namespace sluice::relay {
namespace {

using Elements = std::span<redisReply* const>;

Elements elements_of(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ARRAY) return {};
  return {reply.element, reply.elements};
}

std::optional<std::uint64_t> number_of(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_INTEGER || reply.integer < 0) return std::nullopt;
  return static_cast<std::uint64_t>(reply.integer);
}

std::optional<std::string_view> string_of(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_STRING) return std::nullopt;
  return text_of(reply);
}

std::optional<proto::Position> position_of(Elements two) {
  const auto epoch = string_of(*two[0]);
  const auto offset = number_of(*two[1]);
  if (!epoch || !offset) return std::nullopt;
  if (epoch->empty()) return proto::Position{};
  const auto value = read_epoch(*epoch);
  if (!value) return std::nullopt;
  return proto::Position{*value, *offset};
}

std::optional<HistoryPublication> publication_of(Elements three) {
  const auto offset = number_of(*three[0]);
  const auto payload = string_of(*three[1]);
  const auto meta = string_of(*three[2]);
  if (!offset || *offset == 0 || !payload || !meta) return std::nullopt;
  if (payload->size() > proto::kPayloadBytesMax || meta->size() > proto::kMetaBytesMax) {
    return std::nullopt;
  }
  return HistoryPublication{*offset, std::string(*payload), std::string(*meta)};
}

/// "bytes of user:user info". What somebody else has put there is an entry without a user.
PresenceEntry entry_of(std::string_view client, std::string_view value) {
  PresenceEntry entry{std::string(client), {}, {}};
  std::size_t length = 0;
  const char* end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, length);
  if (error != std::errc{} || rest == end || *rest != ':') return entry;
  value.remove_prefix(static_cast<std::size_t>(rest - value.data()) + 1);
  if (length > value.size() || length > proto::kUserBytesMax) return entry;
  entry.user = value.substr(0, length);
  entry.info = value.substr(length);
  return entry;
}

}  // namespace

std::optional<proto::Position> read_position(const redisReply& reply) {
  const Elements all = elements_of(reply);
  if (all.size() != 2) return std::nullopt;
  const auto position = position_of(all);
  return position && position->epoch != 0 ? position : std::nullopt;
}

std::optional<HistoryAnswer> read_history(const redisReply& reply, bool reverse) {
  Elements all = elements_of(reply);
  if (all.size() < 2 || (all.size() - 2) % 3 != 0) return std::nullopt;
  const auto top = position_of(all.first(2));
  if (!top) return std::nullopt;
  HistoryAnswer answer;
  answer.top = *top;
  answer.publications.reserve((all.size() - 2) / 3);
  for (all = all.subspan(2); !all.empty(); all = all.subspan(3)) {
    auto one = publication_of(all.first(3));
    if (!one) return std::nullopt;
    // A stream that is ahead of its position: what is above is of another time.
    if (one->offset > top->offset) continue;
    if (!answer.publications.empty()) {
      const std::uint64_t last = answer.publications.back().offset;
      if (reverse ? one->offset >= last : one->offset <= last) return std::nullopt;
    }
    answer.publications.push_back(*std::move(one));
  }
  return answer;
}

std::optional<PresenceAnswer> read_presence(const redisReply& reply) {
  Elements all = elements_of(reply);
  if (all.size() < 2 || all.size() % 2 != 0) return std::nullopt;
  const auto clients = number_of(*all[0]);
  const auto users = number_of(*all[1]);
  if (!clients || *clients > UINT32_MAX || !users || *users > UINT32_MAX) return std::nullopt;
  PresenceAnswer answer;
  answer.clients = static_cast<std::uint32_t>(*clients);
  answer.users = static_cast<std::uint32_t>(*users);
  answer.entries.reserve((all.size() - 2) / 2);
  for (all = all.subspan(2); !all.empty(); all = all.subspan(2)) {
    const auto client = string_of(*all[0]);
    const auto value = string_of(*all[1]);
    if (!client || !value) return std::nullopt;
    PresenceEntry entry = entry_of(*client, *value);
    // What the link does not carry was not set by us.
    if (entry.client.empty() || entry.client.size() > proto::kClientIdBytesMax ||
        entry.info.size() > proto::kPresenceInfoBytesMax) {
      continue;
    }
    answer.entries.push_back(std::move(entry));
  }
  return answer;
}

std::string presence_value(const PresenceEntry& entry) {
  return std::to_string(entry.user.size()) + ":" + entry.user + entry.info;
}

}  // namespace sluice::relay
