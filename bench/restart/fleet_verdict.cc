// What was right and what was not.
#include <algorithm>

#include "bench/restart/fleet.h"

namespace sluice::restart {
namespace {

using namespace std::chrono_literals;

/// What is said later than this before the end need not have come.
constexpr Duration kOnTheWay = 3s;

}  // namespace

void Fleet::fault(FaultKind kind, const Client& client, std::uint32_t serial, TimePoint at) {
  ++totals_.faults[kind];
  ++view_.faults;
  if (faults_.size() < kFaultsKept)
    faults_.push_back({kind, client.who, client.number, serial, at_s(at), name_of(client.manner)});
}

/// Holes are judged when the stream ends: what was passed over may come late.
void Fleet::arrived(Client& client, std::uint32_t serial) {
  switch (client.check.arrived(serial)) {
    case Arrival::kLate:
      fault(FaultKind::kMisordered, client, serial, now());
      return;
    case Arrival::kTwice:
      fault(FaultKind::kTwice, client, serial, now());
      return;
    case Arrival::kNext:
    case Arrival::kAfterHole:
      return;
  }
}

/// The stream of one connection is over: what it has passed over is lost, and with `complete` what
/// should have come behind its last one as well. A speaker's holes that were never carried are lost
/// publishes and not judged here.
void Fleet::close_stream(Client& client, bool complete) {
  const auto lost = [&](std::uint32_t serial) {
    if (client.who != Who::kSpeaker) {
      fault(FaultKind::kLost, client, serial, published_at_[serial - 1]);
    } else if (client.sent[serial - 1].carried) {
      fault(FaultKind::kLost, client, serial, client.sent[serial - 1].at);
    }
  };
  for (const std::uint32_t serial : client.check.holes()) lost(serial);
  totals_.faults[FaultKind::kLost] += client.check.more_holes();
  if (!complete) return;
  std::uint32_t due = 0;
  std::uint32_t from = client.check.last() + 1;
  if (client.who == Who::kSpeaker) {
    due = static_cast<std::uint32_t>(client.sent.size());
    from = std::max(from, client.resumed_after + 1);
  } else if (client.who != Who::kPulse) {
    due = published_;
    // Who has heard nothing at all should have heard what came some time after it was let in.
    while (client.check.last() == 0 && from <= due &&
           published_at_[from - 1] < client.opened + kOnTheWay)
      ++from;
  }
  for (std::uint32_t serial = from; serial <= due; ++serial) lost(serial);
}

bool Fleet::has_all(const Client& client) const {
  if (client.who == Who::kListener)
    return published_ == 0 || client.check.last() == published_ || plan_.down_per_s == 0;
  if (client.who == Who::kPulse) return true;
  const auto heard = [&](std::uint32_t serial) {
    return serial <= client.check.last() && !client.check.holes().contains(serial);
  };
  for (std::uint32_t serial = client.resumed_after + 1; serial <= client.sent.size(); ++serial) {
    if (!client.sent[serial - 1].carried || !heard(serial)) return false;
  }
  return true;
}

/// While there is traffic: everybody is open and hears. Afterwards: everybody has everything.
bool Fleet::all_there() {
  if (view_.open != wanted_) return false;
  return std::all_of(clients_.begin(), clients_.begin() + wanted_, [&](const Client& client) {
    if (client.state != State::kOpen) return false;
    if (calm_) return has_all(client) && (client.pings.empty() || client.who == Who::kPulse);
    return client.who != Who::kListener || plan_.down_per_s == 0 || client.check.last() != 0;
  });
}

void Fleet::find_lost_publishes() {
  for (Client& client : clients_) {
    for (std::uint32_t serial = 1; serial <= client.sent.size(); ++serial) {
      const Sent& sent = client.sent[serial - 1];
      if (sent.carried) continue;
      const bool cut = sent.life != client.life;
      // Not written to its last byte: nobody could have published it.
      if (sent.at == TimePoint{} && cut) continue;
      const TimePoint at = sent.at == TimePoint{} ? now() : sent.at;
      lost_publishes_.push_back({at_s(at), client.number, serial, cut});
    }
  }
}

void Fleet::finish() {
  find_lost_publishes();
  for (std::uint32_t index = 0; index < wanted_; ++index) {
    Client& client = clients_[index];
    if (client.state != State::kOpen) continue;
    ++totals_.open_at_end;
    close_stream(client, true);
    if (client.who == Who::kPulse) continue;
    for (std::size_t i = 0; i < client.pings.size(); ++i)
      fault(FaultKind::kPong, client, client.next_ping, client.pings[i].at);
  }
}

void Fleet::tell(Record& record) {
  end_thread();
  if (failed_) std::rethrow_exception(broken_);
  record.totals = totals_;
  record.disconnects = std::move(disconnects_);
  record.failed_upgrades = std::move(failed_upgrades_);
  record.faults = std::move(faults_);
  record.lost_publishes = std::move(lost_publishes_);
  record.latency = latency_.take();
}

}  // namespace sluice::restart
