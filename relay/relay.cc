#include "relay/relay.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "relay/brokers/redis_url.h"
#include "relay/limits.h"
#include "relay/relay_metrics.h"

namespace sluice::relay {
namespace {

constexpr Duration kShutdownStep = std::chrono::milliseconds(10);
/// Listener, admin connections, broker connections, the loop's own.
constexpr rlim_t kDescriptorsBeside = 64;
static_assert(kAdminConnectionsMax + kAdminRefusalsMax + 24 < kDescriptorsBeside);
/// Where there is an API.
constexpr rlim_t kDescriptorsOfApi = 1 + api::kConnectionsMax + api::kRefusalsMax;

Result<void> raise_descriptor_limit(const RelayConfig& config) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return fail(ErrorCode::kSystem, std::string("getrlimit: ") + std::strerror(errno));
  }
  const std::size_t gateways_max = config.router.gateways_max;
  const rlim_t needed = gateways_max + kToolsMax + kPendingLinksMax + kDescriptorsBeside +
                        (config.api.listen ? kDescriptorsOfApi : 0);
  if (limit.rlim_max < needed) {
    return fail(ErrorCode::kSystem, "--max-gateways " + std::to_string(gateways_max) + " needs " +
                                        std::to_string(needed) + " descriptors, the limit is " +
                                        std::to_string(limit.rlim_max) +
                                        ": raise it (ulimit -Hn, LimitNOFILE=) or ask for fewer");
  }
  if (limit.rlim_cur < needed) {
    limit.rlim_cur = needed;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
      return fail(ErrorCode::kSystem, std::string("setrlimit: ") + std::strerror(errno));
    }
  }
  return {};
}

EventBasePtr make_base() {
  EventBasePtr base(event_base_new());
  CHECK(base != nullptr);
  return base;
}

}  // namespace

Relay::Relay(const RelayConfig& config, Program program)
    : config_(config),
      program_(std::move(program)),
      base_(make_base()),
      upgrade_(base_.get(), program_, time_, *this) {
}

Relay::~Relay() {
  // Links let go of the router, the broker of its events, before the router ends.
  admin_.reset();
  api_.reset();
  listener_.reset();
  broker_.reset();
}

Result<std::unique_ptr<Relay>> Relay::create(const RelayConfig& config, Program program) {
  std::signal(SIGPIPE, SIG_IGN);
  if (auto done = raise_descriptor_limit(config); !done) {
    return tl::make_unexpected(done.error());
  }
  std::unique_ptr<Relay> relay(new Relay(config, std::move(program)));
  if (auto done = relay->read_rules(); !done) return tl::make_unexpected(done.error());
  if (auto done = relay->make_core(); !done) return tl::make_unexpected(done.error());
  std::optional<Takeover> takeover;
  std::optional<Leftovers> leftovers;
  if (config.resume_fd >= 0) {
    auto taken = relay->take_over(takeover.emplace(config.resume_fd));
    if (!taken) return tl::make_unexpected(taken.error());
    leftovers = *std::move(taken);
  }
  if (auto done = relay->open_state_dir(leftovers.has_value()); !done)
    return tl::make_unexpected(done.error());
  const int api_socket = leftovers ? leftovers->api_socket : -1;
  if (auto done = relay->open_api(takeover ? &*takeover : nullptr, api_socket); !done)
    return tl::make_unexpected(done.error());
  if (auto done = relay->open_sockets(takeover ? &*takeover : nullptr); !done)
    return tl::make_unexpected(done.error());
  if (leftovers) relay->adopt(*std::move(leftovers), *takeover->descriptors);
  relay->add_pages();
  relay->add_signals();
  relay->tick_event_ = make_event<&Relay::tick>(relay->base_.get(), -1, EV_PERSIST, relay.get());
  const timeval interval = to_timeval(kTickInterval);
  event_add(relay->tick_event_.get(), &interval);
  return relay;
}

Result<void> Relay::make_core() {
  router_.reset();
  if (auto done = make_broker(); !done) return done;
  router_ = std::make_unique<Router>(config_.router, *broker_, log_, time_, random_,
                                     policy_ ? &*policy_ : nullptr);
  work_event_ = make_event<&Relay::run_router_work>(base_.get(), -1, 0, this);
  // Behind what else is due in this loop turn.
  router_->on_work([event = work_event_.get()] { event_active(event, 0, 0); });
  return {};
}

Result<void> Relay::read_rules() {
  if (config_.open_access) {
    rules_.emplace(Rules::open_access());
    log_warn("--open-access: anyone may do anything on any channel; not for the open Internet");
  } else if (!config_.rules_file.empty()) {
    Result<Rules> rules = Rules::read(config_.rules_file);
    if (!rules) return fail(rules.error().code, "--rules: " + rules.error().message);
    rules_.emplace(*std::move(rules));
  }
  if (rules_) policy_.emplace(*rules_);
  return {};
}

Result<void> Relay::make_broker() {
  if (config_.broker == "memory:") {
    memory_event_ = make_event<&Relay::run_memory_broker>(base_.get(), -1, 0, this);
    auto broker = std::make_unique<MemoryBroker>(
        [event = memory_event_.get()] { event_active(event, 0, 0); }, time_, random_);
    memory_ = broker.get();
    broker_ = std::move(broker);
    return {};
  }
  Result<RedisOptions> options = parse_redis_url(config_.broker);
  if (!options) return fail(options.error().code, "--broker: " + options.error().message);
  options->password_file = config_.broker_password_file;
  auto broker = std::make_unique<RedisBroker>(*std::move(options), base_.get(), random_);
  redis_ = broker.get();
  broker_ = std::move(broker);
  return {};
}

// ---- from program to program

Result<std::optional<Leftovers>> Relay::take_over(Takeover& takeover) {
  std::string problem = takeover.problem;
  if (problem.empty()) {
    StateReader reader(takeover.state());
    Leftovers leftovers = read_state(reader, parts(), *takeover.descriptors);
    if (reader.good()) return leftovers;
    problem = reader.error();
  }
  log_error("the state of the program before can't be read, starting as after a crash: {}",
            problem);
  takeover.descriptors.reset();
  // Half of it may have been read.
  if (auto done = make_core(); !done) return tl::make_unexpected(done.error());
  router_->count_upgrade_failed();
  return std::nullopt;
}

void Relay::adopt(Leftovers leftovers, Descriptors& descriptors) {
  listener_->restore(leftovers.link_stats);
  const std::size_t links = leftovers.links.size();
  for (LinkState& link : leftovers.links) {
    UniqueFd fd = descriptors.take(link.descriptor);
    listener_->adopt(std::move(fd), std::move(link));
  }
  router_->lose_publishes(leftovers.unanswered,
                          "the relay was upgraded before the broker had answered");
  const Duration pause = time_.now() - leftovers.stopped_at;
  router_->count_upgrade(pause);
  log_info(
      "upgraded: {} links, {} channels, {} messages in the ring, {} publishes of unknown fate, "
      "links not read for {} ms",
      links, router_->channels(), router_->ring().messages(), leftovers.unanswered.size(),
      std::chrono::duration_cast<std::chrono::milliseconds>(pause).count());
}

void Relay::take_in(bool on) {
  listener_->take_in(on);
  if (admin_) admin_->take_in(on);
  api_->take_in(on);
  router_->hold_publishes(!on);
}

bool Relay::quiet() const {
  // A scrape that is under way would be cut.
  const bool admin_quiet = !admin_ || admin_->stats().connections == 0;
  return admin_quiet && api_->quiet() && (redis_ == nullptr || redis_->quiet());
}

Preamble Relay::preamble() {
  links_to_save_ = listener_->links();
  return make_preamble(parts(), links_to_save_, listener_->descriptor(),
                       admin_ ? admin_->descriptor() : -1, api_->descriptor());
}

void Relay::save(StateWriter& out, TimePoint stopped_at) {
  write_state(out, parts(),
              {.stopped_at = stopped_at,
               .link_stats = listener_->stats(),
               .links = std::exchange(links_to_save_, {}),
               .api_socket = api_->descriptor(),
               .unanswered = {}});
}

// ---- start

Result<void> Relay::open_state_dir(bool marks_known) {
  if (config_.state_dir.empty()) return {};
  if (::mkdir(config_.state_dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(ErrorCode::kSystem,
                "--state-dir: making " + config_.state_dir + ": " + std::strerror(errno));
  }
  mark_file_.emplace(config_.state_dir);
  const TimePoint now = time_.now();
  Result<DrainMarks> marks = router_->drain_marks();
  if (!marks_known) marks = mark_file_->load(now);
  if (!marks) return fail(marks.error().code, "--state-dir: " + marks.error().message);
  // Now, not at the first drain, shows whether it can be written.
  if (auto saved = mark_file_->save(*marks, now); !saved)
    return fail(saved.error().code, "--state-dir: " + saved.error().message);
  if (marks->size() > 0)
    log_info("{} balancers are marked as told to drain a gateway", marks->size());
  router_->restore(*std::move(marks));
  log_.on_drain_marks([this] { keep_drain_marks(); });
  return {};
}

void Relay::keep_drain_marks() {
  if (const auto saved = mark_file_->save(router_->drain_marks(), time_.now()); !saved)
    log_warn("{}: a drain will not be remembered beyond this process", saved.error().message);
}

Result<UniqueFd> Relay::admin_socket(Takeover* takeover) const {
  if (takeover != nullptr && takeover->admin_socket.valid())
    return std::move(takeover->admin_socket);
  return listen_on(*config_.admin_listen, {});
}

Result<void> Relay::open_api(Takeover* takeover, int socket) {
  api_ = std::make_unique<api::Api>(config_.api, *router_, *router_, rules_ ? &*rules_ : nullptr,
                                    time_, random_);
  UniqueFd inherited;
  if (takeover != nullptr && takeover->descriptors && socket >= 0)
    inherited = takeover->descriptors->take(socket);
  return api_->open(base_.get(), std::move(inherited), config_.socket_mode);
}

Result<void> Relay::open_sockets(Takeover* takeover) {
  // Where an earlier program listens it goes on: an address that the settings have changed since
  // then takes a restart.
  const bool inherited = takeover != nullptr && takeover->link_socket.valid();
  Result<UniqueFd> links = inherited
                               ? std::move(takeover->link_socket)
                               : listen_on(config_.listen, {.unix_mode = config_.socket_mode});
  if (!links) return fail(links.error().code, "--listen: " + links.error().message);
  if (config_.admin_listen) {
    Result<UniqueFd> socket = admin_socket(takeover);
    if (!socket) {
      remove_socket_file();
      return fail(socket.error().code, "--admin-listen: " + socket.error().message);
    }
    admin_ = std::make_unique<AdminServer>(base_.get(), *std::move(socket), pages_, time_);
  }
  listener_ = std::make_unique<GatewayListener>(base_.get(), *std::move(links), config_.allow_uids,
                                                *router_, time_);
  return {};
}

void Relay::add_pages() {
  pages_.add("/healthz", [] { return HttpReply{.body = "ok\n"}; });
  // The relay serves its gateways, broker or not: that it is away is told, not acted on.
  pages_.add("/readyz", [this] {
    if (router_->broker_is_connected()) return HttpReply{.body = "ready: broker connected\n"};
    return HttpReply{.body = "degraded: broker away: " + router_->broker_reason() + "\n"};
  });
  pages_.add("/metrics", [this] {
    return HttpReply{
        .content_type = "text/plain; version=0.0.4; charset=utf-8",
        .body = metrics_text(*router_, *listener_, admin_.get(), redis_, memory_, *api_)};
  });
}

void Relay::add_signals() {
  const auto on = [](EventPtr made) {
    event_add(made.get(), nullptr);
    return made;
  };
  event_base* base = base_.get();
  constexpr short kWhat = EV_SIGNAL | EV_PERSIST;
  terminate_event_ = on(make_event<&Relay::on_terminate>(base, SIGTERM, kWhat, this));
  interrupt_event_ = on(make_event<&Relay::on_terminate>(base, SIGINT, kWhat, this));
  upgrade_event_ = on(make_event<&Relay::on_upgrade>(base, SIGUSR2, kWhat, this));
  reload_event_ = on(make_event<&Relay::on_reload>(base, SIGHUP, kWhat, this));
  log_.on_upgrade([this] { on_upgrade(); });
  hold_signals(false);
}

int Relay::run() {
  if (admin_) log_info("admin on {}", admin_->name());
  broker_->start(*router_);
  log_info("listening on {}, broker {}, ready", to_string(config_.listen), broker_->describe());
  manager_.ready();
  event_base_dispatch(base_.get());
  return 0;
}

void Relay::run_memory_broker() {
  memory_->run();
}

void Relay::run_router_work() {
  router_->work();
}

void Relay::tick() {
  router_->tick();
  if (memory_ != nullptr) memory_->tick();
  listener_->tick();
  if (admin_) admin_->tick();
  api_->tick();
  log_.tick();
  manager_.tick(time_.now(), [this] { return status_line(); });
}

std::string Relay::status_line() const {
  const std::string broker = router_->broker_is_connected()
                                 ? "broker " + broker_->describe() + " connected"
                                 : "broker away: " + router_->broker_reason();
  return (phase_ == Phase::kServing ? "" : "ending; ") + broker + "; " +
         std::to_string(router_->links()) + " gateways, " + std::to_string(router_->channels()) +
         " channels";
}

// ---- signals

void Relay::on_terminate() {
  if (phase_ != Phase::kServing) {
    log_warn("second signal: ending at once");
    event_base_loopbreak(base_.get());
    return;
  }
  upgrade_.end();
  log_info("ending: telling {} gateways", router_->links());
  manager_.stopping();
  phase_ = Phase::kFlushing;
  phase_deadline_ = time_.now() + kShutdownFlushWait;
  remove_socket_file();
  listener_->stop_listening();
  api_->leave();
  router_->shut_down();
  api_->stop();
  shutdown_event_ = make_event<&Relay::shutdown_step>(base_.get(), -1, EV_PERSIST, this);
  const timeval interval = to_timeval(kShutdownStep);
  event_add(shutdown_event_.get(), &interval);
}

void Relay::shutdown_step() {
  const bool late = time_.now() >= phase_deadline_;
  if (phase_ == Phase::kFlushing) {
    const bool busy = router_->publishes_in_flight() != 0 || !listener_->idle() || !api_->quiet();
    if (!late && busy) return;
    phase_ = Phase::kGoodbye;
    phase_deadline_ = time_.now() + kShutdownGoodbyeWait;
    listener_->finish("the relay shuts down");
    return;
  }
  if (!late && listener_->connections() != 0) return;
  log_info("ended");
  event_base_loopbreak(base_.get());
}

void Relay::on_reload() {
  log_info("SIGHUP: the password file is read at each reconnection");
  api_->reload();
  reload_rules();
}

void Relay::reload_rules() {
  if (config_.rules_file.empty()) return;
  Result<Rules> rules = Rules::read(config_.rules_file);
  if (!rules) return log_error("SIGHUP: the rules stay as they were: {}", rules.error().message);
  rules_->replace(*std::move(rules));
  log_info("SIGHUP: rules read, {} namespaces; a channel's history changes when it is next begun",
           rules_->now().namespaces());
}

void Relay::remove_socket_file() const {
  if (config_.listen.kind == Address::Kind::kUnix) ::unlink(config_.listen.path.c_str());
  if (config_.api.listen && config_.api.listen->kind == Address::Kind::kUnix && api_ &&
      api_->descriptor() >= 0)
    ::unlink(config_.api.listen->path.c_str());
}

}  // namespace sluice::relay
