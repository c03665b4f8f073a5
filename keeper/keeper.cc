#include "keeper/keeper.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "keeper/pidfd.h"
#include "keeper/upgrade.h"

namespace sluice::keeper {
namespace {

/// A packet's descriptors on top of all that is held, connections with pidfds, listeners, our own.
constexpr std::size_t kDescriptorsBeside = 512;
static_assert(kPacketFdsMax + 3 + 2 * kConnectionsMax + kListenersMax + 32 < kDescriptorsBeside);
constexpr Duration kCrowdedWait = std::chrono::milliseconds(10);
constexpr Duration kManagerTick = std::chrono::milliseconds(100);
constexpr Duration kLongestWait = std::chrono::seconds(60);
/// How long a newer program may take to check itself.
constexpr Duration kCheckWait = std::chrono::seconds(10);
/// Of one connection at a time, then the others have their turn.
constexpr int kPacketsPerTurn = 256;

tl::unexpected<Error> system_error(const char* what) {
  return fail(ErrorCode::kSystem, std::string(what) + ": " + std::strerror(errno));
}

/// Raises the soft limit to the hard one; how many sockets can be held with it.
Result<std::size_t> sockets_max() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return system_error("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return system_error("setrlimit");
  if (limit.rlim_max <= kDescriptorsBeside)
    return fail(ErrorCode::kSystem, "the limit of " + std::to_string(limit.rlim_max) +
                                        " descriptors leaves none for clients, " +
                                        std::to_string(kDescriptorsBeside) +
                                        " are for other things: raise it (LimitNOFILE=)");
  return std::min<std::size_t>(limit.rlim_max - kDescriptorsBeside, INT32_MAX);
}

}  // namespace

Keeper::Keeper(const KeeperConfig& config, Program program, std::size_t sockets_max)
    : config_(config),
      program_(std::move(program)),
      farewells_(poller_),
      custody_(farewells_, sockets_max) {
}

Result<std::unique_ptr<Keeper>> Keeper::create(const KeeperConfig& config, Program program,
                                               std::optional<int> saved) {
  const Result<std::size_t> most = sockets_max();
  if (!most) return tl::make_unexpected(most.error());
  std::optional<Table> table;
  if (saved) {
    Result<Table> loaded = load_table(*saved);
    if (loaded) {
      table = std::move(*loaded);
      ::close(*saved);
    } else {
      log_error("{}; all that was held is closed", loaded.error().message);
      close_all_inherited();
    }
  }
  std::unique_ptr<Keeper> keeper(new Keeper(config, std::move(program), *most));
  if (auto done = keeper->open(std::move(table)); !done) return tl::make_unexpected(done.error());
  return keeper;
}

Result<void> Keeper::open(std::optional<Table> table) {
  if (!poller_.valid()) return system_error("epoll_create1");
  if (auto done = watch_signals(); !done) return done;
  if (table) {
    listener_ = std::move(table->listener);
  } else {
    Result<UniqueFd> made =
        listen_on(config_.listen, {.backlog = 64, .unix_mode = 0600, .unix_packets = true});
    if (!made) return tl::make_unexpected(made.error());
    listener_ = std::move(*made);
  }
  if (!poller_.add(listener_.get(), EPOLLIN)) return system_error("epoll_ctl");
  log_info("listening on {} for gateway {}", to_string(config_.listen), config_.id);
  if (table) resume(std::move(*table));
  return {};
}

Result<void> Keeper::watch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGUSR2, SIGHUP}) sigaddset(&set, number);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return system_error("sigprocmask");
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid() || !poller_.add(signals_.get(), EPOLLIN)) return system_error("signalfd");
  return {};
}

void Keeper::resume(Table table) {
  custody_.table() = std::move(table.holding);
  const Holding& held = custody_.holding();
  log_info("resumed after an upgrade: {} clients, {} listeners held", held.clients.size(),
           held.listeners.size());
  if (!table.holder) return;
  holder_ = std::move(table.holder);
  watch_holder();
}

/// A watch that can't be had leaves us without a proof of its end, so we end instead.
void Keeper::watch_holder() {
  const bool watched =
      poller_.add(holder_->pidfd.get(), EPOLLIN) &&
      (!holder_->connection.valid() || poller_.add(holder_->connection.get(), EPOLLIN));
  if (watched) return;
  log_error("the gateway's process can't be watched: {}", std::strerror(errno));
  exit_code_ = 1;
}

// ---- the loop

int Keeper::run() {
  manager_.ready();
  while (!exit_code_) {
    for (const epoll_event& event : poller_.wait(longest_wait(time_.now())))
      on_ready(event.data.fd);
    on_tick(time_.now());
  }
  return *exit_code_;
}

void Keeper::on_ready(int fd) {
  if (farewells_.on_ready(fd)) return;
  if (fd == listener_.get()) return accept_all();
  if (fd == signals_.get()) return on_signal();
  if (askers_.contains(fd)) return on_asker(fd);
  if (check_ && fd == check_->fd()) return on_checked();
  if (!holder_) return;
  if (fd == holder_->pidfd.get() && process_ended(fd)) return end_of_holder();
  if (fd != holder_->connection.get()) return;
  if (handover_) go_on_telling();
  if (holder_) read_holder();
}

void Keeper::on_tick(TimePoint now) {
  if (telling_due_ && *telling_due_ <= now) go_on_telling();
  if (check_ && check_due_ <= now) {
    end_check();
    refuse_upgrade(program_.path() + " --check does not end");
  }
  if (!holder_ && !upgrading_) custody_.expire(now);
  farewells_.tick(now);
  if (upgrading_ && farewells_.idle() && !handover_) upgrade();
  if (ending_ && farewells_.idle() && !exit_code_) {
    log_info("ended");
    exit_code_ = 0;
  }
  if (manager_.present()) manager_.tick(now, [this] { return status(); });
}

Duration Keeper::longest_wait(TimePoint now) const {
  TimePoint due = now + (manager_.present() ? kManagerTick : kLongestWait);
  const auto earlier = [&due](std::optional<TimePoint> other) {
    if (other) due = std::min(due, *other);
  };
  earlier(telling_due_);
  if (check_) earlier(check_due_);
  if (!holder_ && !upgrading_) earlier(custody_.next_due());
  earlier(farewells_.next_due());
  return std::max(due - now, Duration::zero());
}

void Keeper::on_signal() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGUSR2) {
      check_upgrade();
    } else if (info.ssi_signo == SIGHUP) {
      log_info("SIGHUP: nothing to read again");
    } else if (ending_) {
      log_warn("ended at once: {} clients are cut", farewells_.clients());
      exit_code_ = 0;
    } else {
      end_orderly();
    }
  }
}

// ---- those who ask

void Keeper::accept_all() {
  for (;;) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        peer.uid != ::geteuid()) {
      log_warn("refused process {} of user {}", peer.pid, peer.uid);
      continue;
    }
    const int fd = socket.get();
    if (askers_.size() >= kConnectionsMax || !poller_.add(fd, EPOLLIN)) {
      (void)send_packet(fd, Refused{"too many connections"});
      continue;
    }
    Asker& asker = askers_[fd];
    asker.socket = std::move(socket);
    asker.pid = peer.pid;
  }
}

void Keeper::on_asker(int fd) {
  Asker& asker = askers_[fd];
  Result<Received> received = receive_packet(fd);
  if (!received) {
    log_warn("process {}: {}", asker.pid, received.error().message);
    return drop(fd);
  }
  if (received->what == Received::What::kNothing) return;
  if (received->what == Received::What::kEnd) return drop(fd);
  const auto* hello = std::get_if<Hello>(&received->message);
  if (hello == nullptr || asker.turn != 0) {
    log_warn("process {} says something else than HELLO, once, before its WELCOME", asker.pid);
    return drop(fd);
  }
  on_hello(asker, *hello, std::move(received->fds.front()));
}

void Keeper::on_hello(Asker& asker, const Hello& hello, UniqueFd pidfd) {
  const int fd = asker.socket.get();
  if (hello.version != kWireVersion)
    return refuse(fd,
                  fmt::format("the keeper speaks version {}, not {}", kWireVersion, hello.version));
  if (hello.gateway_id != config_.id) return refuse(fd, "this is the keeper of " + config_.id);
  if (process_of(pidfd.get()) != asker.pid) return refuse(fd, "not a pidfd of who connected");
  if (ending_) return refuse(fd, "the keeper ends");
  asker.pidfd = std::move(pidfd);
  asker.terms = {hello.handoff_wait_ms, hello.close_rate};
  asker.serving = hello.serving;
  asker.turn = ++turns_;
  const bool same = holder_ && asker.pid != 0 && asker.pid == holder_->pid;
  if (same && hello.serving) return welcome_again(fd);
  // One process that asks a second time and does not serve has executed another program.
  if (holder_ && (same || holder_is_over())) return end_of_holder();
  if (!holder_) return welcome_next();
  let_wait(asker);
}

/// Dead. Or it has parked and closed its connection, where processes of other namespaces have no
/// number: there, that it asks again as another program can't be seen.
bool Keeper::holder_is_over() const {
  const bool left = holder_->pid == 0 && holder_->parked && !holder_->connection.valid();
  return left || process_ended(holder_->pidfd.get());
}

/// Those that have said HELLO.
std::size_t Keeper::waiting() const {
  return static_cast<std::size_t>(std::count_if(
      askers_.begin(), askers_.end(), [](const auto& entry) { return entry.second.turn != 0; }));
}

void Keeper::let_wait(Asker& asker) {
  if (waiting() > kWaitingMax)
    return refuse(asker.socket.get(), "in use, and too many wait already");
  log_info("process {} waits: process {} holds what it asks for", asker.pid, holder_->pid);
  const auto sent =
      send_packet(asker.socket.get(), InUse{static_cast<std::uint32_t>(holder_->pid)});
  if (!sent || *sent != SendOutcome::kSent) drop(asker.socket.get());
}

void Keeper::refuse(int fd, const std::string& why) {
  log_warn("refused process {}: {}", askers_[fd].pid, why);
  (void)send_packet(fd, Refused{why});
  drop(fd);
}

void Keeper::drop(int fd) {
  poller_.remove(fd);
  askers_.erase(fd);
}

// ---- the one who holds

/// The first in the row that lives.
void Keeper::welcome_next() {
  while (!holder_ && !ending_) {
    auto next = askers_.end();
    for (auto entry = askers_.begin(); entry != askers_.end(); ++entry) {
      if (entry->second.turn == 0) continue;
      if (next == askers_.end() || entry->second.turn < next->second.turn) next = entry;
    }
    if (next == askers_.end()) return;
    if (process_ended(next->second.pidfd.get())) {
      drop(next->first);
      continue;
    }
    Asker asker = std::move(next->second);
    drop(next->first);
    welcome(std::move(asker));
  }
}

void Keeper::welcome(Asker asker) {
  log_info("process {} is the gateway", asker.pid);
  if (asker.serving) custody_.leave_behind(time_.now());
  hold_for(std::move(asker));
}

/// The holder has lost its connection. Its clients stay with it, and nobody else's turn has come.
void Keeper::welcome_again(int fd) {
  hear_out();
  poller_.remove(holder_->pidfd.get());
  Asker asker = std::move(askers_[fd]);
  drop(fd);
  log_info("process {} has connected again", asker.pid);
  hold_for(std::move(asker));
}

void Keeper::hold_for(Asker asker) {
  holder_ = Holder{
      .pid = asker.pid, .pidfd = std::move(asker.pidfd), .connection = std::move(asker.socket)};
  watch_holder();
  if (asker.serving) {
    handover_.emplace(Handover::of_nothing(custody_.greet_serving(asker.terms)));
  } else {
    handover_.emplace(custody_.hand_over(asker.terms, time_.now()));
  }
  go_on_telling();
}

void Keeper::go_on_telling() {
  telling_due_.reset();
  const int fd = holder_->connection.get();
  const auto progress = handover_->go_on(fd, custody_.holding());
  if (!progress) {
    // Gone: what it said before its end is still to be read.
    if (progress.error().code != ErrorCode::kUnavailable)
      return drop_connection(progress.error().message);
    handover_.reset();
    return poller_.change(fd, EPOLLIN);
  }
  switch (*progress) {
    case Handover::Progress::kDone:
      handover_.reset();
      poller_.change(fd, EPOLLIN);
      return;
    case Handover::Progress::kFull:
      poller_.change(fd, EPOLLIN | EPOLLOUT);
      return;
    case Handover::Progress::kCrowded:
      poller_.change(fd, EPOLLIN);
      telling_due_ = time_.now() + kCrowdedWait;
      return;
  }
}

void Keeper::read_holder() {
  for (int i = 0; i < kPacketsPerTurn && holder_->connection.valid(); ++i) {
    Result<Received> received = receive_packet(holder_->connection.get());
    if (!received) return drop_connection(received.error().message);
    if (received->what == Received::What::kNothing) return;
    if (received->what == Received::What::kEnd) {
      drop_connection("");
      if (waiting() > 0 && holder_is_over()) end_of_holder();
      return;
    }
    if (!custody_.take_in(*received, *holder_, time_.now()))
      return drop_connection("it said what a keeper says, or HELLO again");
  }
}

/// What is held stays: the process lives.
void Keeper::drop_connection(const std::string& why) {
  if (!why.empty()) log_warn("process {}: {}; its connection is closed", holder_->pid, why);
  poller_.remove(holder_->connection.get());
  holder_->connection.reset();
  handover_.reset();
  telling_due_.reset();
}

/// It says nothing more on this connection: what it had said is all there.
void Keeper::hear_out() {
  while (holder_->connection.valid()) {
    Result<Received> received = receive_packet(holder_->connection.get());
    const bool more = received && received->what == Received::What::kMessage &&
                      custody_.take_in(*received, *holder_, time_.now());
    if (!more) drop_connection("");
  }
}

/// Dead, or another program by now.
void Keeper::end_of_holder() {
  const TimePoint now = time_.now();
  hear_out();
  poller_.remove(holder_->pidfd.get());
  const Holder ended = *std::exchange(holder_, std::nullopt);
  custody_.holder_ended(ended, now);
  welcome_next();
}

// ---- our own end, or another program in our place

void Keeper::end_orderly() {
  ending_ = true;
  upgrading_ = false;
  end_check();
  manager_.stopping();
  if (holder_ && process_ended(holder_->pidfd.get())) end_of_holder();
  if (holder_) {
    log_info("ending; process {} lives and keeps its clients", holder_->pid);
    custody_.let_go();
    drop_connection("");
    poller_.remove(holder_->pidfd.get());
    holder_.reset();
  } else {
    log_info("ending");
    custody_.give_up("the keeper ends", time_.now());
  }
  while (!askers_.empty()) refuse(askers_.begin()->first, "the keeper ends");
  poller_.remove(listener_.get());
  listener_.reset();
  ::unlink(config_.listen.path.c_str());
}

/// A program that can't even read the flags is not executed: it could not give back what is held.
void Keeper::check_upgrade() {
  if (ending_ || upgrading_ || check_) return;
  log_info("an upgrade is asked for: trying {}", program_.path());
  auto check = ProgramCheck::start(program_);
  if (!check) return refuse_upgrade(check.error().message);
  check_.emplace(std::move(*check));
  check_due_ = time_.now() + kCheckWait;
  if (poller_.add(check_->fd(), EPOLLIN)) return;
  check_.reset();
  refuse_upgrade("its check can't be watched");
}

void Keeper::on_checked() {
  if (!process_ended(check_->fd())) return;
  poller_.remove(check_->fd());
  const Result<void> fine = check_->result();
  check_.reset();
  if (!fine) return refuse_upgrade(fine.error().message);
  begin_upgrade();
}

void Keeper::end_check() {
  if (!check_) return;
  poller_.remove(check_->fd());
  check_.reset();
}

void Keeper::refuse_upgrade(const std::string& why) {
  log_error("the upgrade failed, going on: {}", why);
}

/// Bytes that have half left can't be handed on, so who is being told to leave is waited for;
/// nobody else is begun with.
void Keeper::begin_upgrade() {
  upgrading_ = true;
  custody_.reclaim();
  if (!farewells_.idle())
    log_info("the upgrade waits for {} clients that are being released", farewells_.clients());
}

void Keeper::upgrade() {
  log_info("upgrading: executing {}", program_.path());
  upgrading_ = false;
  Table table{std::move(listener_), std::move(custody_.table()), std::move(holder_)};
  const Result<UniqueFd> saved = save_table(table);
  if (saved) {
    set_inherited(table, *saved, true);
    const Error error = program_.execute({kResumeFlag, std::to_string(saved->get())});
    set_inherited(table, *saved, false);
    refuse_upgrade(error.message);
  } else {
    refuse_upgrade(saved.error().message);
  }
  listener_ = std::move(table.listener);
  custody_.table() = std::move(table.holding);
  holder_ = std::move(table.holder);
}

std::string Keeper::status() const {
  const std::size_t clients = custody_.holding().clients.size();
  if (ending_) return fmt::format("ending; {} clients to be told", farewells_.clients());
  if (holder_) return fmt::format("process {} is the gateway; {} clients", holder_->pid, clients);
  if (!farewells_.idle())
    return fmt::format("no gateway; releasing {} clients", farewells_.clients());
  return fmt::format("no gateway; holding {} clients", clients);
}

}  // namespace sluice::keeper
