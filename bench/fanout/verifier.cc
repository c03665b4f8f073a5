#include "bench/fanout/verifier.h"

#include <algorithm>

namespace sluice::fanout {
namespace {

/// A server that loses more is broken anyway; the count goes on, only misordered ones then look
/// like ones that came twice.
constexpr std::size_t kHolesMax = 1U << 20U;

}  // namespace

Verifier::Verifier(std::uint32_t run, std::size_t channels, std::size_t kept_max)
    : run_(run), mask_(kept_max - 1), channels_(channels) {
  for (Channel& channel : channels_) channel.kept.resize(kept_max);
}

bool Verifier::has_room(std::size_t channel) const {
  return channels_[channel].next - channels_[channel].oldest < mask_;
}

std::string_view Verifier::publish(std::size_t index, std::uint64_t now_ns) {
  Channel& channel = channels_[index];
  Entry& entry = channel.kept[channel.next & mask_];
  write_message({run_, static_cast<std::uint32_t>(index), channel.next, now_ns}, entry.text);
  entry.sent_ns = now_ns;
  entry.waiting = channel.receivers;
  ++channel.next;
  ++published_;
  if (entry.waiting == 0) complete(channel);
  return {entry.text.data(), entry.text.size()};
}

void Verifier::complete(Channel& channel) {
  while (channel.oldest < channel.next && channel.kept[channel.oldest & mask_].waiting == 0) {
    ++channel.oldest;
    ++completed_;
  }
}

void Verifier::join(Place& place) {
  Channel& channel = channels_[place.channel];
  place.counted = true;
  place.next = place.since = channel.next;
  ++channel.receivers;
}

void Verifier::leave(Place& place) {
  if (!place.counted) return;
  Channel& channel = channels_[place.channel];
  for (; place.next < channel.next; ++place.next) settle(channel, place.next);
  place.counted = false;
  --channel.receivers;
}

void Verifier::skip_to(Place& place, std::uint64_t sequence) {
  for (; place.next < sequence; ++place.next) settle(channels_[place.channel], place.next);
}

void Verifier::give_up(Place& place) {
  if (!place.counted) return;
  const std::uint64_t end = channels_[place.channel].next;
  if (strict_) faults_.lost += end - place.next;
  skip_to(place, end);
  place.since = end;
}

std::uint64_t Verifier::receive_unexpected(Place& place, std::string_view message,
                                           std::uint64_t who) {
  const auto head = read_message(message);
  const bool ours = head && head->run == run_ && head->channel == place.channel &&
                    head->sequence < channels_[place.channel].next;
  if (!ours) {
    if (strict_) ++faults_.corrupt;
    return 0;
  }
  if (!place.counted) return 0;
  const std::uint64_t sequence = head->sequence;
  if (sequence >= place.next) {
    // An honest text of another time would have the right sequence and differ: corrupt.
    if (sequence == place.next) {
      if (strict_) ++faults_.corrupt;
      return 0;
    }
    if (strict_) {
      faults_.lost += sequence - place.next;
      auto& holes = holes_[who];
      for (std::uint64_t missing = place.next; missing < sequence && holes_count_ < kHolesMax;
           ++missing, ++holes_count_)
        holes.push_back(missing);
    }
    skip_to(place, sequence + 1);
    ++deliveries_;
    return head->sent_ns;
  }
  // From before it was counted: a newcomer may be early.
  if (sequence < place.since || !strict_) return 0;
  const auto known = holes_.find(who);
  if (known != holes_.end()) {
    const auto hole = std::find(known->second.begin(), known->second.end(), sequence);
    if (hole != known->second.end()) {
      known->second.erase(hole);
      --holes_count_;
      --faults_.lost;
      ++faults_.misordered;
      return 0;
    }
  }
  ++faults_.twice;
  return 0;
}

}  // namespace sluice::fanout
