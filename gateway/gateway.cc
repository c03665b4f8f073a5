#include "gateway/gateway.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "common/log_value.h"
#include "common/units.h"
#include "gateway/gateway_metrics.h"
#include "gateway/handoff/fault_point.h"
#include "gateway/handoff/self_test.h"
#include "gateway/limits.h"
#include "gateway/protocols/plain_access.h"

namespace sluice::gateway {
namespace {

PlainOptions plain_options(const GatewayConfig& config, const Access& access) {
  PlainOptions options;
  if (config.tag_messages) options.tag = config.id + ":";
  options.greeting = config.greeting;
  if (const auto at = options.greeting.find("{id}"); at != std::string::npos)
    options.greeting.replace(at, 4, config.id);
  options.greeting_delay = config.greeting_delay;
  options.on_gap = config.on_gap;
  options.rules = access.rules();
  return options;
}

AcceptorOptions acceptor_options(const GatewayConfig& config, const PageSource& demo_pages,
                                 const Access& access) {
  AcceptorOptions options;
  options.proxy_mode = config.proxy_mode;
  options.forwarded_header = config.forwarded_header;
  options.trusted_proxies = config.trusted_proxies;
  options.handshake_timeout = config.handshake_timeout;
  options.head_bytes_max = config.head_bytes_max;
  options.limits = {.connections_max = config.connections_max,
                    .connections_per_ip_max = config.connections_per_ip_max,
                    .rate_per_ip = config.connection_rate_per_ip};
  options.accept_rate = {config.accept_rate_per_second,
                         std::max(1.0, config.accept_rate_per_second)};
  options.upgrade.default_channel = config.default_channel;
  options.upgrade.allowed_origins = config.allowed_origins;
  options.upgrade.demo = config.demo;
  options.upgrade.forwarded_headers = config.hooks.forwarded_headers;
  if (const RulesStore* rules = access.rules()) {
    options.upgrade.centrifuge = true;
    options.upgrade.plain_may_subscribe = [rules](std::string_view channel) {
      return plain_may_subscribe(rules->now(), channel);
    };
  }
  if (config.demo) options.pages = &demo_pages;
  return options;
}

[[nodiscard]] std::uint32_t clamped(std::size_t n) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(n, UINT32_MAX));
}

proto::GatewayCondition condition_of(ReadyState state) {
  switch (state) {
    case ReadyState::kStarting:
      return proto::GatewayCondition::kStarting;
    case ReadyState::kReady:
      return proto::GatewayCondition::kReady;
    case ReadyState::kDegraded:
      return proto::GatewayCondition::kDegraded;
    case ReadyState::kNotReady:
      return proto::GatewayCondition::kNotReady;
    case ReadyState::kDraining:
      return proto::GatewayCondition::kDraining;
  }
  return proto::GatewayCondition::kStarting;
}

}  // namespace

Gateway::Gateway(GatewayConfig config, Program program)
    : config_(std::move(config)),
      sender_({.client_queue_bytes = config_.client_queue_bytes}, sessions_, time_),
      access_(config_.access),
      plain_(plain_options(config_, access_), time_),
      demo_({.gateway_id = config_.id,
             .version = SLUICE_VERSION,
             .draining = [this] { return drain_.has_value(); },
             .rules = access_.rules(),
             .time = &time_}),
      protocols_{&plain_, config_.demo ? &demo_ : nullptr, nullptr, nullptr},
      token_judge_(access_.tokens()),
      hub_({.channels_max = config_.channels_max}, sessions_, sender_, *this),
      link_({.gateway_id = config_.id,
             .publish_wait = config_.publish_wait,
             .publish_queue_bytes = config_.publish_queue_bytes,
             .channels_max = config_.channels_max},
            hub_, time_),
      relay_(loop_, config_.relay.path, link_, random_, [this] { return hub_.congested(); }),
      departures_(sessions_),
      timers_({.ping_interval = config_.ping_interval,
               .pong_timeout = config_.pong_timeout,
               .connection_age_max = config_.connection_age_max,
               .served = [this](ClientSession& session) { session_changed(session); }},
              sessions_, sender_, hub_, departures_, stats_, random_, time_.now()),
      endpoint_({.message_bytes_max = config_.message_bytes_max}, loop_.raw(), sessions_, sender_,
                *this, time_, random_),
      readiness_({.requires_what = config_.ready_requires, .grace = config_.ready_grace}),
      balancers_(link_),
      weight_(config_.agent_ramp),
      ticked_at_(time_.now()),
      end_of_turn_(loop_, [this] { end_of_turn(); }),
      tick_(loop_, [this] { tick(); }),
      program_(std::move(program)),
      upgrade_check_(loop_, program_),
      park_due_(loop_, [] {}) {
  hub_.attach(link_);
  sender_.attach(hub_.due());
}

Gateway::~Gateway() = default;

// ---- start

Result<void> Gateway::start() {
  if (auto enough = set_descriptor_limit(); !enough) return enough;
  if (auto chosen = choose_transport(); !chosen) return chosen;
  if (auto loaded = access_.load(); !loaded) return loaded;
  if (config_.keeper) {
    if (auto able = test_resuming(); !able) handoff_fault_ = able.error().message;
  }
  if (auto started = endpoint_.start(); !started) return started;
  if (auto prepared = prepare_hooks(); !prepared) return prepared;
  prepare_centrifuge();
  if (config_.check_only) return {};
  if (auto prepared = prepare_handoff(); !prepared) return prepared;
  acceptor_ = std::make_unique<Acceptor>(loop_, acceptor_options(config_, demo_pages_, access_),
                                         time_, *this);
  if (auto opened = open_admin_listener(); !opened) return opened;
  if (auto opened = open_agent_listener(); !opened) return opened;
  if (auto opened = open_client_listeners(); !opened) return opened;
  if (auto planned = plan_registration(); !planned) return planned;
  // A start that fails says one line, what is wrong; so the rest is said only now.
  for (const std::string& line : std::exchange(said_at_start_, {})) log_info("{}", line);
  log_info("up to {} connections", config_.connections_max);
  for (const std::string& line : access_.summary()) log_info("{}", line);
  for (const std::string& line : access_.warnings()) log_warn("{}", line);
  if (config_.demo) log_info("the demo page is served on / (--demo)");
  watch_signals();
  tick_.start_every(kTimerTick);
  if (auto taken = take_over(); !taken) return taken;
  relay_.start();
  if (handoff_) handoff_->taken();
  return {};
}

Result<void> Gateway::prepare_hooks() {
  if (config_.hooks.urls.empty()) return {};
  auto hooks = make_hooks(
      config_.hooks, loop_, time_,
      [this](HookAnswer answer) {
        if (hook_answered_) hook_answered_(answer);
      },
      hook_stats_);
  if (!hooks) return tl::make_unexpected(hooks.error());
  hooks_ = std::move(*hooks);
  return {};
}

Result<void> Gateway::set_descriptor_limit() const {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  const std::size_t reserved =
      kReservedDescriptors + config_.hooks.urls.size() * kHookDescriptorsPerEndpoint;
  const rlim_t needed = config_.connections_max + reserved;
  const std::size_t room = limit.rlim_max > reserved ? limit.rlim_max - reserved : 0;
  if (needed > limit.rlim_max) {
    return fail(ErrorCode::kSystem,
                "--max-connections " + std::to_string(config_.connections_max) + " needs " +
                    std::to_string(needed) + " descriptors, the limit is " +
                    std::to_string(limit.rlim_max) +
                    ": raise it (ulimit -n, LimitNOFILE=) or set --max-connections to " +
                    std::to_string(room) + " at most");
  }
  // The soft limit is low by default, and ours to raise; or very high, and then libwebsockets,
  // which makes a table of that size and, as Debian builds it, looks through all of it for each
  // connection that comes, would take milliseconds for one.
  if (limit.rlim_cur != needed) {
    limit.rlim_cur = needed;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
      return fail(ErrorCode::kSystem, std::string("setrlimit: ") + std::strerror(errno));
    }
  }
  return {};
}

Result<void> Gateway::choose_transport() {
  if (config_.io_uring == UseUring::kOff) return {};
  auto transport = make_uring_transport(config_.connections_max + kSpareSlots);
  if (transport) {
    sender_.use(std::move(*transport));
  } else if (config_.io_uring == UseUring::kOn) {
    return fail(transport.error().code, "--io-uring on: " + transport.error().message);
  } else {
    said_at_start_.push_back("sending without io_uring: " + transport.error().message);
  }
  return {};
}

Result<void> Gateway::open_client_listeners() {
  for (const Address& address : config_.listen) {
    auto fd = listener_for("listen", address);
    if (!fd) return tl::make_unexpected(fd.error());
    if (!bound_.clients) bound_.clients = bound_tcp(fd->get());
    said_at_start_.push_back("listening on " + listening_name(address, fd->get()));
    acceptor_->listen(std::move(*fd));
  }
  return {};
}

Result<void> Gateway::open_admin_listener() {
  if (!config_.admin_listen) return {};
  pages_.add("/healthz", [] { return HttpReply{200, "text/plain; charset=utf-8", "ok\n"}; });
  pages_.add_for_peer("/readyz", [this](const AdminPeer& peer) { return readyz(peer); });
  pages_.add("/metrics", [this] {
    return HttpReply{200, "text/plain; version=0.0.4", metrics_text(*this)};
  });
  auto fd = listener_for("admin-listen", *config_.admin_listen);
  if (!fd) return tl::make_unexpected(fd.error());
  bound_.admin = bound_tcp(fd->get());
  said_at_start_.push_back("admin on " + listening_name(*config_.admin_listen, fd->get()));
  admin_ = std::make_unique<AdminListener>(loop_, std::move(*fd), pages_, time_);
  return {};
}

Result<void> Gateway::plan_registration() {
  if (config_.haproxy_sockets.empty()) return {};
  const auto plan = plan_server(config_, bound_);
  if (!plan) return tl::make_unexpected(plan.error());
  const auto state = [this] {
    const ReadyState ready = ready_state();
    return ServingState{.serving = Readiness::http_status(ready) == 200,
                        .draining = ready == ReadyState::kDraining,
                        .ready_said = agent_said(AgentWord::kUpReady)};
  };
  runtime_api_ =
      std::make_unique<RuntimeApi>(loop_, config_.haproxy_sockets, *plan, state, time_, random_);
  return {};
}

void Gateway::watch_signals() {
  const auto on = [this](int number, std::function<void()> handler) {
    signals_.push_back(std::make_unique<SignalWatcher>(loop_, number, std::move(handler)));
  };
  on(SIGTERM, [this] { on_terminate("SIGTERM"); });
  on(SIGINT, [this] { on_terminate("SIGINT"); });
  on(SIGUSR2, [this] { begin_park("SIGUSR2", false); });
  on(SIGHUP, [this] { reload_access(); });
}

/// Clients stay as they are: what they ask for next is judged anew.
void Gateway::reload_access() {
  if (config_.access.rules_file.empty()) {
    log_info("SIGHUP: nothing that this process reads again");
    return;
  }
  for (const std::string& fault : access_.reload()) log_error("SIGHUP: {}", fault);
  for (const std::string& line : access_.summary()) log_info("SIGHUP: {}", line);
  for (const std::string& line : access_.warnings()) log_warn("{}", line);
}

int Gateway::run() {
  loop_.run();
  link_.goodbye();
  relay_.flush();
  if (handoff_) handoff_->end();
  log_info("ended");
  return 0;
}

// ---- the loop

void Gateway::end_of_turn() {
  endpoint_.settle();
  bool more = hub_.work();
  relay_.flush();
  if (handoff_) handoff_->record_changed();
  // A slice each: who was given something by an earlier turn, then what the channels brought.
  more = sender_.flush(kClientsPerTurn) || more;
  more = hub_.fan_out(kClientsPerTurn) || more || sender_.waiting();
  // The next turn looks at everything else, and does not sleep.
  if (more) loop_.defer([] {});
  if (handoff_) handoff_->end_of_turn(hub_.settled_sequence());
  if (parking_) park_if_ready();
}

void Gateway::tick() {
  const TimePoint now = time_.now();
  relay_.tick();
  timers_.advance(now);
  endpoint_.settle_echoes();
  sender_.expire_closing(now);
  sender_.retry_starved();
  sample_load(now);
  drain_tick(now);
  if (drained_) end_when_gone();
  say_unsaid_gaps(now);
  log_readiness();
  inform_relay();
  manager_.tick(now, [this] { return status_line(); });
}

std::string Gateway::status_line() const {
  return readiness_.answer(time_.now()).text + handoff_note() + "; " +
         std::to_string(sessions_.size()) + " clients, " + std::to_string(hub_.channels()) +
         " channels";
}

void Gateway::inform_relay() {
  proto::GatewayInfo info{.condition = condition_of(ready_state()),
                          .clients = static_cast<std::uint32_t>(sessions_.size()),
                          .clients_max = static_cast<std::uint32_t>(config_.connections_max),
                          .leaving = leaving_,
                          .users = count_users_ ? count_users_() : 0,
                          .subscriptions = clamped(hub_.subscriptions()),
                          .channels = clamped(hub_.channels())};
  tell_handoff(info);
  link_.inform(info);
}

void Gateway::log_readiness() {
  const ReadyAnswer answer = readiness_.answer(time_.now());
  if (answer.state == logged_state_) return;
  const bool served = Readiness::http_status(std::exchange(logged_state_, answer.state)) == 200;
  if (!served && Readiness::http_status(answer.state) == 200) weight_.begin_ramp(time_.now());
  if (Readiness::http_status(answer.state) == 200) {
    manager_.ready();
    if (runtime_api_) runtime_api_->start();
  }
  manager_.status_changed();
  if (answer.state == ReadyState::kNotReady) {
    log_warn("{}", answer.text);
  } else {
    log_info("{}", answer.text);
  }
}

// ---- clients

void Gateway::accept(UniqueFd fd, const UpgradeRequest& request, ClientIdentity client,
                     std::string_view rest) {
  endpoint_.adopt(std::move(fd), request, std::move(client), rest);
}

void Gateway::opening(ClientSession& session) {
  if (handoff_) handoff_->opening(session);
}

void Gateway::opened(ClientSession& session, const UpgradeRequest& request) {
  ++stats_.opened;
  session.protocol = protocols_[static_cast<std::size_t>(request.protocol)];
  CHECK(session.protocol != nullptr);  // judge_upgrade() lets in what is served
  log_info("client connected id={} address={} channel={}{}", to_string(session.state.id),
           to_string(session.state.address), request.channel,
           to_log_fields(session.state.facts.get()));
  hub_.opened(session, request);
  timers_.opened(session, time_.now());
  if (handoff_) handoff_->opened(session);
}

void Gateway::session_changed(ClientSession& session) {
  if (handoff_) handoff_->changed(session);
}

void Gateway::reading(ClientSession& session) {
  if (handoff_) handoff_->reading(session);
}

void Gateway::worked_off(ClientSession& session) {
  if (handoff_) handoff_->worked_off(session);
}

void Gateway::never_opened(ClientRef ref, const ClientAddress& address) {
  ++stats_.never_opened;
  if (handoff_) handoff_->given_up(ref);
  acceptor_->client_left(address);
}

void Gateway::fragment(ClientSession& session, const Fragment& fragment) {
  fault_point("read.taken");
  timers_.heard(session);
  const Input input = add_fragment(session.state.inbound, fragment);
  const bool counts = input.verdict == InputVerdict::kMessage || fragment.bytes.empty();
  if (counts && !within_rate(session)) return;
  if (input.verdict == InputVerdict::kMore) return;
  session.state.spoke_at = time_.now();
  log_debug("received {} bytes from id={}", input.message.size(), to_string(session.state.id));
  hub_.received(session, input.message, session.state.inbound.text);
  release_message(session.state.inbound);
}

void Gateway::ping(ClientSession& session, proto::Bytes payload) {
  timers_.heard(session);
  if (!within_rate(session)) return;
  sender_.deliver(session, FrameRun::make(Opcode::kPong, {}, payload));
}

bool Gateway::within_rate(ClientSession& session) {
  if (session.state.messages.take(config_.client_message_rate, time_.now())) return true;
  sender_.close_as(session, CloseCode::kPolicy, "too many messages", CloseReason::kRateLimited);
  return false;
}

void Gateway::closed(ClientSession& session) {
  const CloseReason reason = session.ended_by;
  if (handoff_) {
    handoff_->closed(session);
    // The keeper's dup keeps the socket alive for a moment, and epoll's entry with it.
    loop_.forget(session.fd);
  }
  stats_.count_close(reason);
  log_info("client closed id={} address={} reason={}", to_string(session.state.id),
           to_string(session.state.address), kCloseReasonNames[static_cast<std::size_t>(reason)]);
  hub_.closed(session);
  acceptor_->client_left(session.state.address);
}

// ---- relay

void Gateway::link_state(bool up) {
  readiness_.relay_up(up, time_.now());
  if (up) {
    log_info("relay link up");
  } else {
    log_warn("relay link lost; clients stay");
  }
  log_readiness();
}

void Gateway::broker_state(bool connected, std::string_view reason) {
  broker_connected_ = connected;
  readiness_.broker_up(connected, std::string(reason), time_.now());
  log_readiness();
}

void Gateway::channel_gap(const ChannelGap& gap) {
  if (!gap_lines_.take(kGapLines, time_.now())) {
    ++gaps_unsaid_;
    return;
  }
  const std::string count =
      gap.count == proto::kCountUnknown ? "unknown" : std::to_string(gap.count);
  log_warn("gap channel={} cause=\"{}\" messages={} duration_ms={}", log_value(gap.channel),
           gap.cause, count, gap.duration_ms);
}

void Gateway::say_unsaid_gaps(TimePoint now) {
  if (gaps_unsaid_ == 0 || !gap_lines_.take(kGapLines, now)) return;
  log_warn("{} more gaps, not listed", std::exchange(gaps_unsaid_, 0));
}

void Gateway::channel_subscribed(std::string_view channel) {
  log_info("subscribed to {}", log_value(channel));
}

void Gateway::channel_refused(std::string_view channel, std::string_view reason) {
  log_warn("the relay refuses channel {}: {}; its clients are closed (1013)", log_value(channel),
           reason);
}

}  // namespace sluice::gateway
