#include "keeper/handover.h"

#include <array>
#include <vector>

namespace sluice::keeper {

Result<Handover::Progress> Handover::go_on(int socket, const Holding& holding) {
  while (stage_ != Stage::kDone) {
    const Result<SendOutcome> sent = send_next(socket, holding);
    if (!sent) return tl::make_unexpected(sent.error());
    if (*sent == SendOutcome::kFull) return Progress::kFull;
    if (*sent == SendOutcome::kCrowded) return Progress::kCrowded;
  }
  return Progress::kDone;
}

/// Sends one packet, or moves on to the next stage where there is none left.
Result<SendOutcome> Handover::send_next(int socket, const Holding& holding) {
  switch (stage_) {
    case Stage::kWelcome:
      return send_welcome(socket, holding);
    case Stage::kListeners:
      return send_listener(socket, holding);
    case Stage::kClients:
      return send_clients(socket, holding);
    case Stage::kPending:
      return send_pending(socket, holding);
    case Stage::kEnd: {
      auto sent = send_packet(socket, HeldEnd{});
      if (sent && *sent == SendOutcome::kSent) stage_ = Stage::kDone;
      return sent;
    }
    case Stage::kDone:
      break;
  }
  return SendOutcome::kSent;
}

Result<SendOutcome> Handover::send_welcome(int socket, const Holding& holding) {
  const std::array<int, 1> memory{holding.memory.get()};
  auto sent = send_packet(socket, welcome_, std::span(memory).first(welcome_.has_state ? 1 : 0));
  if (sent && *sent == SendOutcome::kSent) stage_ = nothing_ ? Stage::kEnd : Stage::kListeners;
  return sent;
}

Result<SendOutcome> Handover::send_listener(int socket, const Holding& holding) {
  const auto next = holding.listeners.upper_bound(listener_);
  if (next == holding.listeners.end()) {
    stage_ = Stage::kClients;
    return SendOutcome::kSent;
  }
  const std::array<int, 1> fd{next->second.get()};
  auto sent = send_packet(socket, HeldListener{next->first}, fd);
  if (sent && *sent == SendOutcome::kSent) listener_ = next->first;
  return sent;
}

Result<SendOutcome> Handover::send_clients(int socket, const Holding& holding) {
  HeldClients message;
  std::vector<int> fds;
  if (next_slot_ <= UINT32_MAX) {
    const auto from = static_cast<std::uint32_t>(next_slot_);
    for (auto client = holding.clients.lower_bound(from);
         client != holding.clients.end() && fds.size() < kPacketFdsMax; ++client) {
      message.clients.push_back({client->first, client->second.generation});
      fds.push_back(client->second.socket.get());
    }
  }
  if (fds.empty()) {
    stage_ = Stage::kPending;
    return SendOutcome::kSent;
  }
  auto sent = send_packet(socket, message, fds);
  if (sent && *sent == SendOutcome::kSent)
    next_slot_ = std::uint64_t{message.clients.back().slot} + 1;
  return sent;
}

Result<SendOutcome> Handover::send_pending(int socket, const Holding& holding) {
  if (next_pending_ >= holding.pending.size()) {
    stage_ = Stage::kEnd;
    return SendOutcome::kSent;
  }
  const HeldConnection& next = holding.pending[next_pending_];
  const std::array<int, 1> fd{next.socket.get()};
  auto sent = send_packet(socket, HeldPending{next.listener, next.bytes}, fd);
  if (sent && *sent == SendOutcome::kSent) ++next_pending_;
  return sent;
}

}  // namespace sluice::keeper
