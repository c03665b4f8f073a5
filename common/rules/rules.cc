#include "common/rules/rules.h"

#include "common/check.h"

namespace sluice {
namespace {

constexpr std::uint32_t kOpenHistorySize = 100;
constexpr Duration kOpenHistoryTtl = std::chrono::minutes(10);

ChannelRules open_channel() {
  ChannelRules rules;
  rules.subscribe = rules.publish = rules.presence = rules.history = Who::kEveryone;
  rules.history_size = kOpenHistorySize;
  rules.history_ttl = kOpenHistoryTtl;
  // Forced: an application that asks for nothing is to see what the server can do. Joins and leaves
  // are a message each to everybody there, so they are for who asks.
  rules.recovery = Offer::kForced;
  rules.positioning = Offer::kForced;
  rules.join_leave = Offer::kOnDemand;
  rules.presence_on = true;
  rules.publisher_info = true;
  return rules;
}

}  // namespace

const char* to_string(Who who) {
  switch (who) {
    case Who::kNobody:
      return "nobody";
    case Who::kToken:
      return "token";
    case Who::kSubscribers:
      return "subscribers";
    case Who::kUsers:
      return "users";
    case Who::kEveryone:
      return "everyone";
  }
  CHECK(false);
}

const char* to_string(Offer offer) {
  switch (offer) {
    case Offer::kOff:
      return "off";
    case Offer::kOnDemand:
      return "on-demand";
    case Offer::kForced:
      return "forced";
  }
  CHECK(false);
}

Rules Rules::open_access() {
  Rules rules;
  rules.open_access_ = true;
  rules.connection_.anonymous = true;
  rules.namespaces_.emplace("", open_channel());
  return rules;
}

Rules Rules::of(ConnectionRules connection, const std::map<std::string, ChannelRules>& namespaces) {
  Rules rules;
  rules.connection_ = connection;
  rules.namespaces_.insert(namespaces.begin(), namespaces.end());
  return rules;
}

const ChannelRules* Rules::find(std::string_view channel) const {
  const std::string_view name = open_access_ ? std::string_view() : namespace_of(channel);
  // ":1" names a namespace that can't be: it is not one of [channels].
  if (!open_access_ && name.empty() && channel.find(':') != std::string_view::npos) return nullptr;
  const auto found = namespaces_.find(name);
  return found == namespaces_.end() ? nullptr : &found->second;
}

std::string_view namespace_of(std::string_view channel) {
  if (is_private_channel(channel)) channel.remove_prefix(1);
  const std::size_t colon = channel.find(':');
  return colon == std::string_view::npos ? std::string_view() : channel.substr(0, colon);
}

bool is_private_channel(std::string_view channel) {
  return channel.starts_with('$');
}

bool is_user_limited(std::string_view channel) {
  return channel.find('#') != std::string_view::npos;
}

bool lists_user(std::string_view channel, std::string_view user) {
  const std::size_t mark = channel.rfind('#');
  if (mark == std::string_view::npos || user.empty()) return false;
  std::string_view list = channel.substr(mark + 1);
  while (true) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == user) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace sluice
