// The gateway as one in a row: what it has from the process before, how it makes room for the next.
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "common/log.h"
#include "common/units.h"
#include "gateway/gateway.h"
#include "gateway/limits.h"

namespace sluice::gateway {

Result<void> Gateway::prepare_handoff() {
  if (!config_.keeper) return {};
  if (!handoff_fault_.empty()) {
    log_error("clients can't be handed over, restarts drain: {}", handoff_fault_);
    return {};
  }
  HandoffOptions options{.keeper = {.path = config_.keeper->path,
                                    .gateway_id = config_.id,
                                    .handoff_wait = config_.handoff_wait,
                                    .close_rate_per_second = config_.drain_rate_per_second},
                         .slots = config_.connections_max + kSpareSlots,
                         .memory_bytes = config_.handoff_memory_bytes};
  handoff_ = std::make_unique<Handoff>(
      loop_, std::move(options), sessions_, sender_,
      [this](const Subscription& subscription) { return hub_.channel_name(subscription); });
  return handoff_->begin();
}

Result<UniqueFd> Gateway::listener_for(const char* flag, const Address& address) {
  const std::string name = std::string(flag) + " " + to_string(address);
  UniqueFd held = handoff_ ? handoff_->take_listener(name) : UniqueFd();
  if (!held.valid()) {
    auto fd = listen_on(address, {.unix_mode = config_.socket_mode});
    if (!fd) return fail(fd.error().code, "--" + std::string(flag) + ": " + fd.error().message);
    held = std::move(*fd);
  }
  if (handoff_) handoff_->listens(name, held.get());
  return held;
}

Result<void> Gateway::take_over() {
  if (!handoff_) return {};
  const TakeoverParts parts{.endpoint = endpoint_,
                            .sender = sender_,
                            .hub = hub_,
                            .protocol = [this](auto name) { return protocol_named(name); },
                            .resumed =
                                [this](ClientSession& session) {
                                  acceptor_->client_resumed(session.state.address);
                                  timers_.resumed(session, time_.now());
                                }};
  const Result<LinkResume> resume = handoff_->take_over(parts, link_, *acceptor_);
  if (!resume) return tl::make_unexpected(resume.error());
  hub_.begin_catch_up(resume->top);
  for (std::size_t slot = 0; slot < sessions_.slots(); ++slot) {
    ClientSession* session = sessions_.at(slot);
    if (session != nullptr && session->phase != SessionPhase::kClosed) hub_.resumed(*session);
  }
  return {};
}

const ClientProtocol* Gateway::protocol_named(std::string_view name) const {
  for (const ClientProtocol* protocol : protocols_)
    if (protocol != nullptr && protocol->name() == name) return protocol;
  return nullptr;
}

void Gateway::link_began(std::uint64_t relay_instance, std::uint64_t last_sequence, bool resumed) {
  if (handoff_ && !resumed) handoff_->link_began(relay_instance, last_sequence);
}

// ---- what is said of it

proto::HandoffState Gateway::handoff_state() const {
  if (!config_.keeper) return proto::HandoffState::kOff;
  if (!handoff_) return proto::HandoffState::kSelfTestFailed;
  return handoff_->keeper_up() ? proto::HandoffState::kOn : proto::HandoffState::kKeeperAway;
}

std::string Gateway::handoff_note() const {
  switch (handoff_state()) {
    case proto::HandoffState::kSelfTestFailed:
      return "; handoff is off, the self-test failed: " + handoff_fault_;
    case proto::HandoffState::kKeeperAway:
      return "; handoff is off, the keeper is away";
    default:
      return "";
  }
}

void Gateway::tell_handoff(proto::GatewayInfo& info) const {
  info.handoff = handoff_state();
  if (!handoff_) return;
  info.held = static_cast<std::uint32_t>(handoff_->held());
  const auto& takeover = handoff_->stats().takeover;
  if (!takeover) return;
  info.takeover = {
      .kind = takeover->planned ? proto::TakeoverKind::kPlanned : proto::TakeoverKind::kCrash,
      .clients = static_cast<std::uint32_t>(takeover->moved),
      .closed = static_cast<std::uint32_t>(takeover->closed_clients()),
      .pause_ms = static_cast<std::uint32_t>(takeover->pause_micros / 1000),
      .ended_ms = takeover->ended_micros / 1000};
}

void Gateway::relay_keeps(Duration ring_age, Duration linger) {
  // Each new link tells it.
  const auto before = std::exchange(relay_keeps_, {ring_age, linger});
  if (!handoff_ || before == relay_keeps_) return;
  const auto warn = [this](const char* flag, Duration kept, const char* what) {
    if (kept > config_.handoff_wait) return;
    log_warn(
        "the relay's {} {} is not above our --handoff-wait {}: after a handoff that takes so "
        "long, {}",
        flag, format_duration(kept), format_duration(config_.handoff_wait), what);
  };
  warn("--ring-age", ring_age, "messages are missing, which is told as a gap");
  warn("--linger", linger, "the relay has forgotten this gateway: channels begin anew, with a gap");
}

// ---- making room

void Gateway::begin_park(const char* why, bool execute) {
  if (!handoff_) {
    log_warn("{}: clients can't be handed over: {}; SIGTERM drains", why,
             config_.keeper ? handoff_fault_ : "there is no --keeper");
    return;
  }
  if (!handoff_->keeper_up()) {
    log_warn("{}: clients can't be handed over, the keeper is away", why);
    return;
  }
  if (parking_) return;
  log_info("{}: handing {} clients over", why, sessions_.size());
  parking_ = Parking{.deadline = time_.now() + kParkPublishWait, .execute = execute};
  park_due_.start_once(kParkPublishWait);
  // Else a client that publishes all the time would have something unanswered at every moment.
  endpoint_.pause_reading(true);
}

void Gateway::give_up_park() {
  log_error("not handed over: the keeper is away");
  parking_.reset();
  park_due_.stop();
  endpoint_.pause_reading(false);
}

void Gateway::upgrade() {
  const auto checked = [this](Result<void> fine) {
    if (fine) return begin_park("upgrade", true);
    log_error("not upgraded: {}", fine.error().message);
  };
  log_info("an operator asks for an upgrade: trying {}", program_.path());
  if (auto begun = upgrade_check_.start(checked); !begun)
    log_error("not upgraded: {}", begun.error().message);
}

void Gateway::park_if_ready() {
  if (!handoff_->keeper_up()) return give_up_park();
  const bool quiet =
      link_.publishes_pending() == 0 && hub_.unanswered() == 0 && endpoint_.all_worked_off();
  if (quiet || time_.now() >= parking_->deadline) park();
}

void Gateway::park() {
  relay_.flush();
  link_.refuse_held();
  if (link_.publishes_pending() > 0)
    log_warn("{} publishes of unknown fate", link_.publishes_pending());
  handoff_->park(*acceptor_, endpoint_.all_worked_off());
  // What is unanswered is abandoned: the next process asks again. libcurl's own descriptors would
  // outlive an exec.
  hooks_.reset();
  if (parking_->execute) {
    log_info("going on as {}", program_.path());
    std::fflush(nullptr);
    hold_signals(true);
    const Error error = program_.execute();
    log_error("not upgraded: {}; the next process has the clients", error.message);
  } else {
    log_info("parked");
  }
  // Without destructors, as main() ends: libwebsockets would write to sockets that are not ours.
  std::fflush(nullptr);
  ::_exit(parking_->execute ? 1 : 0);
}

}  // namespace sluice::gateway
