// The gateway as its balancers see it: agent check, readiness, weight, and the drain that follows
// from what they have seen.
#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/units.h"
#include "gateway/balancer_state.h"
#include "gateway/gateway.h"
#include "gateway/limits.h"

namespace sluice::gateway {

// ---- agent check

Result<void> Gateway::open_agent_listener() {
  if (!config_.agent_listen) return {};
  auto fd = listener_for("agent-listen", *config_.agent_listen);
  if (!fd) return tl::make_unexpected(fd.error());
  said_at_start_.push_back("agent check on " + listening_name(*config_.agent_listen, fd->get()));
  bound_.agent = bound_tcp(fd->get());
  AgentListener::Speaker speaker;
  speaker.line = [this](const std::string& balancer) { return agent_line(balancer); };
  speaker.told = [this](const std::string& balancer) { agent_told(balancer); };
  agent_ = std::make_unique<AgentListener>(loop_, std::move(*fd), std::move(speaker), time_);
  return {};
}

std::string Gateway::agent_line(const std::string& balancer) {
  const TimePoint now = time_.now();
  const ReadyAnswer ready = readiness_.answer(now);
  const Balancers::Standing standing = balancers_.agent_asks(balancer, now);
  AgentAnswer answer = agent_answer({.state = ready.state,
                                     .reason = ready.text,
                                     .ending = drain_ && drain_->phase() >= DrainPhase::kFlushing,
                                     .drain_may_be_said = standing.drain_may_be_said,
                                     .ready_owed = standing.ready_owed,
                                     .weight_percent = agent_weight()});
  agent_word_ = answer.word;
  return std::move(answer.line);
}

void Gateway::agent_told(const std::string& balancer) {
  ++agent_said_[static_cast<std::size_t>(agent_word_)];
  if (agent_word_ == AgentWord::kDrain) balancers_.agent_told_drain(balancer, time_.now());
  if (agent_word_ == AgentWord::kUpReady) {
    balancers_.agent_told_ready(balancer);
    log_info("told the balancer at {} that we are ready again, after a drain", balancer);
  }
}

unsigned Gateway::agent_weight() const {
  return config_.agent_weight ? weight_.percent(time_.now()) : 0;
}

void Gateway::sample_load(TimePoint now) {
  const Duration lag = now - std::exchange(ticked_at_, now) - kTimerTick;
  const auto clients = static_cast<double>(sessions_.size());
  LoadSample sample;
  sample.connections = clients / static_cast<double>(config_.connections_max);
  sample.lag = std::max(lag, Duration::zero());
  if (clients > 0) {
    sample.queued = static_cast<double>(sender_.queued_bytes()) /
                    (clients * static_cast<double>(config_.client_queue_bytes));
  }
  weight_.sample(sample, now);
}

HttpReply Gateway::readyz(const AdminPeer& peer) {
  const TimePoint now = time_.now();
  const ReadyAnswer answer = readiness_.answer(now);
  if (!peer.balancer_state.empty())
    balancers_.check_answered(peer.address, gives_clients(peer.balancer_state), now);
  return HttpReply{Readiness::http_status(answer.state), "text/plain; charset=utf-8",
                   answer.text + handoff_note() + "\n"};
}

// ---- what the relay remembers and operators ask

void Gateway::drain_marks(const std::vector<std::string_view>& balancers) {
  // A later WELCOME tells what this process itself has said since.
  if (std::exchange(marks_taken_, true)) return;
  for (const std::string_view balancer : balancers) {
    if (!balancer.empty()) balancers_.remembered(balancer, time_.now());
  }
  if (!balancers.empty())
    log_info("told to drain this gateway and owed a ready: {} balancer(s)", balancers.size());
}

void Gateway::drain_mark_kept(std::string_view balancer) {
  balancers_.confirmed(balancer);
}

void Gateway::control(const proto::Control& control) {
  switch (control.action) {
    case proto::ControlAction::kDrain:
      return operator_drain(std::chrono::milliseconds(
          std::min<std::uint64_t>(control.older_than_ms, kOlderThanMax.count())));
    case proto::ControlAction::kUndrain:
      return operator_undrain();
    case proto::ControlAction::kUpgrade:
      return upgrade();
  }
  log_warn("the relay passes on an action that this release does not know: {}",
           static_cast<std::uint32_t>(control.action));
}

void Gateway::operator_drain(Duration older_than) {
  if (drain_ && drain_->options().ends) {
    log_info("an operator asks for a drain, and this gateway drains to end already");
    return;
  }
  log_info("drained by an operator: {} clients{}", sessions_.size(),
           older_than > Duration::zero()
               ? ", those connected for " + format_duration(older_than) + " or longer"
               : "");
  begin_drain({.delay = config_.drain_delay,
               .timeout = config_.drain_timeout,
               .rate_per_second = config_.drain_rate_per_second,
               .ends = false},
              older_than);
}

void Gateway::operator_undrain() {
  if (!drain_) {
    log_info("an operator takes a drain back, and there is none");
    return;
  }
  if (drain_->options().ends) {
    log_warn("an operator takes a drain back, but this gateway has been told to end");
    return;
  }
  drain_.reset();
  departures_.end_drain();
  balancers_.drain_ends();
  readiness_.undrain();
  weight_.begin_ramp(time_.now());
  acceptor_->refuse_upgrades(false);
  log_info("the drain is taken back with {} clients left", sessions_.size());
  log_readiness();
}

// ---- drain

void Gateway::begin_drain(const DrainOptions& options, Duration older_than) {
  const TimePoint now = time_.now();
  readiness_.drain();
  balancers_.drain_begins(now);
  departures_.begin_drain(older_than > Duration::zero() ? now - older_than : TimePoint::max());
  drain_.emplace(options, now);
  leaving_counted_at_ = {};
  log_readiness();
}

void Gateway::on_terminate(const char* signal_name) {
  if (drain_ && drain_->options().ends) {
    log_warn("{} again: ending at once with {} clients", signal_name, sessions_.size());
    loop_.stop();
    return;
  }
  // Where nobody would hold the clients, they are told.
  if (config_.on_sigterm == OnSigterm::kHandoff && handoff_state() == proto::HandoffState::kOn)
    return begin_park(signal_name, false);
  manager_.stopping();
  begin_drain({.delay = config_.drain_delay,
               .timeout = config_.drain_timeout,
               .rate_per_second = config_.drain_rate_per_second},
              Duration::zero());
  const std::size_t asking = balancers_.active(time_.now());
  log_info("{}: draining {} clients; new ones are served {}", signal_name, sessions_.size(),
           asking == 0 ? "for " + format_duration(drain_->options().delay) + " more"
                       : "until the balancers that ask us (" + std::to_string(asking) + ") know");
  if (const double needed = drain_->rate_needed(sessions_.size());
      needed > config_.drain_rate_per_second) {
    log_warn(
        "--drain-rate {:.0f}/s would not empty {} clients within --drain-timeout {}: closing "
        "{:.0f}/s",
        config_.drain_rate_per_second, sessions_.size(), format_duration(config_.drain_timeout),
        needed);
  }
}

void Gateway::drain_tick(TimePoint now) {
  double rate = 0;
  count_leaving(now);
  if (drain_) {
    const Drain::Step step = drain_->tick(now, {.seen = balancers_.drain_seen(now),
                                                .open = leaving_,
                                                .present = sessions_.size() + acceptor_->pending(),
                                                .publishes_pending = link_.publishes_pending(),
                                                .hooks_pending = hook_stats_.in_flight});
    if (step.entered) enter_drain_phase(step.phase);
    rate = step.rate;
    if (step.phase == DrainPhase::kClosing && sessions_.size() + 1000 <= drain_reported_) {
      drain_reported_ = sessions_.size();
      log_info("draining: {} clients left", drain_reported_);
    }
  }
  departures_.tick(
      rate, config_.drain_rate_per_second, now,
      [this](ClientSession& session, DepartureCause cause) { depart(session, cause); });
}

void Gateway::count_leaving(TimePoint now) {
  if (now - leaving_counted_at_ < kLeavingCountInterval) return;
  leaving_counted_at_ = now;
  leaving_ = static_cast<std::uint32_t>(departures_.open_for_drain());
}

void Gateway::depart(ClientSession& session, DepartureCause cause) {
  if (cause == DepartureCause::kDrain) {
    sender_.close(session, CloseCode::kGoingAway, "draining");
  } else {
    sender_.close_as(session, CloseCode::kGoingAway, "connection age", CloseReason::kAged);
  }
}

void Gateway::enter_drain_phase(DrainPhase phase) {
  switch (phase) {
    case DrainPhase::kAnnounced:
      return;
    case DrainPhase::kClosing:
      drain_reported_ = sessions_.size();
      if (drain_->options().ends) {
        if (handoff_) handoff_->listens_no_more("listen ");
        acceptor_->stop_listening();
        log_info("draining: listeners closed, closing {} clients", drain_reported_);
      } else {
        acceptor_->refuse_upgrades(true);
        log_info("draining: new clients are refused, closing {} clients", drain_reported_);
      }
      return;
    case DrainPhase::kFlushing:
      balancers_.forget_untold();
      log_info("draining: {} clients left, {} publishes on their way", sessions_.size(),
               link_.publishes_pending());
      if (runtime_api_) runtime_api_->leave(drain_->left(time_.now()));
      return;
    case DrainPhase::kDone:
      if (link_.publishes_pending() > 0)
        log_warn("{} publishes of unknown fate", link_.publishes_pending());
      log_info("drained");
      drained_ = true;
      end_when_gone();
      return;
  }
}

/// HAProxy is to have no server any more where nobody answers.
void Gateway::end_when_gone() {
  if (!runtime_api_ || runtime_api_->gone()) loop_.stop();
}

}  // namespace sluice::gateway
