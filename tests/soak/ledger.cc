// The broker's order, per channel.
#include "tests/soak/ledger.h"

#include <algorithm>
#include <charconv>

namespace sluice::soak {
namespace {

/// A number and the space behind it, taken from the front of `text`.
template <typename T>
bool take(std::string_view& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty() || text[0] != ' ') return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string channel_name(std::size_t channel) {
  return channel == 0 ? "livechat" : "soak" + std::to_string(channel);
}

std::string to_text(const Numbered& message, std::size_t fill) {
  return "s " + std::to_string(message.channel) + " " + std::to_string(message.sender) + " " +
         std::to_string(message.number) + " " + std::string(fill, 'x');
}

std::optional<Numbered> parse(std::string_view text) {
  Numbered message;
  if (text.rfind("s ", 0) != 0) return std::nullopt;
  text.remove_prefix(2);
  if (!take(text, message.channel) || !take(text, message.sender) || !take(text, message.number)) {
    return std::nullopt;
  }
  if (text.find_first_not_of('x') != std::string_view::npos) return std::nullopt;
  return message;
}

void Ledger::carried(std::string_view name, const Numbered& message) {
  const std::string text = to_text(message, 0);
  if (message.channel >= channels_.size() || name != channel_name(message.channel)) {
    throw Violation{"Redis carried '" + text + "' on channel " + std::string(name)};
  }
  Channel& channel = channels_[message.channel];
  std::uint32_t& last = channel.numbers[message.sender];
  if (channel.places.contains(message.key())) {
    throw Violation{"published twice: '" + text + "' reached Redis again"};
  }
  if (message.number <= last) {
    throw Violation{"published out of order: '" + text + "' reached Redis after number " +
                    std::to_string(last)};
  }
  last = message.number;
  channel.places.emplace(message.key(), ++channel.last);
  channel.ages.emplace_back(SteadyClock::now(), message.key());
  ++total_;
}

void Ledger::carried_unseen(const Numbered& message) {
  Channel& channel = channels_[message.channel];
  channel.places.emplace(message.key(), 0);
  channel.ages.emplace_back(SteadyClock::now(), message.key());
}

bool Ledger::was_blind(SteadyClock::time_point from, SteadyClock::time_point to) const {
  return std::any_of(blind_.begin(), blind_.end(),
                     [&](const auto& span) { return span.first <= to && from <= span.second; });
}

std::optional<std::uint64_t> Ledger::place(const Numbered& message) const {
  const auto& places = channels_.at(message.channel).places;
  const auto found = places.find(message.key());
  if (found == places.end()) return std::nullopt;
  return found->second;
}

void Ledger::forget_before(SteadyClock::time_point time) {
  for (Channel& channel : channels_) {
    for (; !channel.ages.empty() && channel.ages.front().first < time; channel.ages.pop_front()) {
      channel.places.erase(channel.ages.front().second);
    }
  }
  std::erase_if(blind_, [&](const auto& span) { return span.second < time; });
}

}  // namespace sluice::soak
