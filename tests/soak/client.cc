// The promises of ARCHITECTURE.md as a client sees them.
#include "tests/soak/client.h"

namespace sluice::soak {
namespace {

using namespace std::chrono_literals;

/// A message that the ledger does not have by then was never carried.
constexpr auto kWitnessLag = 10s;
/// From Redis to a client at the longest: relay, gateway and client stand still one after the
/// other.
constexpr auto kLongestWay = 40s;

[[noreturn]] void complain(const Client& client, const std::string& what) {
  throw Violation{name_of(client) + ": " + what};
}

GapTally gaps_since(const Client& client) {
  const auto found = client.life->gaps.find(channel_name(client.channel));
  if (found == client.life->gaps.end()) return {};
  GapTally tally = found->second;
  tally.lines -= client.gaps_before.lines;
  tally.unknown -= client.gaps_before.unknown;
  tally.messages -= client.gaps_before.messages;
  return tally;
}

void hear_itself(Client& client, std::uint32_t number) {
  auto& waiting = client.unechoed;
  std::erase_if(waiting, [number](const Client::Sent& sent) { return sent.number == number; });
}

}  // namespace

std::string name_of(const Client& client) {
  return "client " + std::to_string(client.sender) + " of gateway " +
         test::Stack::id_of(client.life->gateway) + " on " + channel_name(client.channel);
}

void receive(Client& client, const std::string& text) {
  const std::string tag = test::Stack::id_of(client.life->gateway) + ":";
  if (text.rfind(tag, 0) != 0)
    complain(client, "a message without its gateway's tag: " + text.substr(0, 80));
  const auto message = parse(std::string_view(text).substr(tag.size()));
  if (!message) complain(client, "received what nobody sent: " + text.substr(0, 80));
  if (message->channel != client.channel) {
    complain(client, "received a message of " + channel_name(message->channel) +
                         ", which it is not subscribed to");
  }
  std::uint32_t& last = client.last_numbers[message->sender];
  if (message->number == last) complain(client, "received twice: " + text.substr(0, 80));
  if (message->number < last) {
    complain(client, "twice or out of order: " + text.substr(0, 80) + " after number " +
                         std::to_string(last));
  }
  last = message->number;
  ++client.received;
  if (message->sender == client.sender) hear_itself(client, message->number);
  client.arrivals.push_back({*message, SteadyClock::now()});
}

void compare(Client& client, Ledger& ledger) {
  for (; !client.arrivals.empty(); client.arrivals.pop_front()) {
    const Client::Arrival& arrival = client.arrivals.front();
    const auto place = ledger.place(arrival.message);
    if (!place) {
      const auto now = SteadyClock::now();
      if (now - arrival.at < kWitnessLag) return;
      // Held by a gateway or the relay before Redis carried it, on its way to a slow client after.
      if (!ledger.was_blind(arrival.at - kLongestWay, arrival.at)) {
        complain(client, "received what Redis never carried: " + to_text(arrival.message, 0));
      }
      ledger.carried_unseen(arrival.message);
      continue;
    }
    if (*place == 0) continue;
    if (*place <= client.last_place) {
      complain(client, "out of the broker's order: " + to_text(arrival.message, 0) + " is number " +
                           std::to_string(*place) + " of its channel, it had number " +
                           std::to_string(client.last_place));
    }
    if (client.last_place != 0 && *place > client.last_place + 1) {
      ++client.holes;
      client.missing += *place - client.last_place - 1;
    }
    client.last_place = *place;
  }
}

void judge_end(Client& client, const test::SwarmClient& end) {
  client.ended = true;
  if (client.manner != Manner::kOrdinary || client.life->killed) return;
  const std::string how = end.close_code == 0 ? "without a close frame"
                                              : "with " + std::to_string(end.close_code) + " '" +
                                                    end.close_reason + "'";
  if (!end.open && end.head.empty() && client.life->draining) return;  // the listener has closed
  switch (end.close_code) {
    case 1000:
      if (client.leaving) return;
      break;
    case 1001:
      if (client.life->draining) return;
      break;
    case 1008:
      if (client.may_be_cut) return;
      break;
    case 1012:
      client.ended_by_gap = true;
      if (client.life->closes_on_gap) return;
      break;
    case 1013:
      if (!client.unechoed.empty()) return;
      break;
    case 0:
      if (client.may_be_cut) return;  // cut at the bound, or silent after a ping
      break;
    default:
      break;
  }
  if (!end.head.empty() && !end.open) complain(client, "refused: " + end.head.substr(0, 40));
  complain(client, "closed " + how + ", for which there was no cause");
}

void judge_holes(const Client& client) {
  const GapTally told = gaps_since(client);
  if (client.ended_by_gap && told.lines == 0)
    complain(client, "closed with 1012, but no gap was told");
  if (client.holes == 0) return;
  const std::string what = "missed " + std::to_string(client.missing) + " messages in " +
                           std::to_string(client.holes) + " holes; its gateway told ";
  if (client.holes > told.lines) {
    complain(client, what + std::to_string(told.lines) + " gaps since it came");
  }
  if (told.unknown == 0 && client.missing > told.messages) {
    complain(client, what + "of " + std::to_string(told.messages));
  }
}

}  // namespace sluice::soak
