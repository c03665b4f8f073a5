#include "relay/brokers/redis_resolver.h"

#include <sys/eventfd.h>
#include <sys/un.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "common/check.h"
#include "common/unique_fd.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay {
namespace {

std::string endpoint_name(const addrinfo& info) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(info.ai_addr, info.ai_addrlen, host.data(), host.size(), port.data(),
                    port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  const std::string name = host.data();
  return (info.ai_family == AF_INET6 ? "[" + name + "]" : name) + ":" + port.data();
}

RedisEndpoints collect(const addrinfo* list) {
  RedisEndpoints out;
  for (const addrinfo* one = list; one != nullptr && out.size() < kRedisAddressesMax;
       one = one->ai_next) {
    if (one->ai_addrlen > sizeof(sockaddr_storage)) continue;
    RedisEndpoint endpoint;
    std::memcpy(&endpoint.address, one->ai_addr, one->ai_addrlen);
    endpoint.length = one->ai_addrlen;
    endpoint.name = endpoint_name(*one);
    out.push_back(std::move(endpoint));
  }
  return out;
}

/// Signals are the main thread's.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

RedisEndpoint unix_endpoint(const std::string& path) {
  RedisEndpoint endpoint;
  auto* address = reinterpret_cast<sockaddr_un*>(&endpoint.address);
  address->sun_family = AF_UNIX;
  path.copy(address->sun_path, sizeof address->sun_path - 1);
  endpoint.length = sizeof(sockaddr_un);
  endpoint.name = path;
  return endpoint;
}

/// Shared by the resolver and the thread; whoever comes last frees it. The thread writes the
/// results, then `finished`, then the descriptor; the loop reads them after `finished`.
struct RedisResolver::Job {
  std::string host;
  std::string port;
  UniqueFd ready;
  int error = 0;
  int system_error = 0;
  RedisEndpoints endpoints;
  bool late = false;  ///< the loop's own
  std::atomic<bool> finished{false};
};

RedisResolver::RedisResolver(event_base* base, LookUp look_up)
    : base_(base),
      look_up_(std::move(look_up)),
      threads_(std::make_shared<std::atomic<std::size_t>>(0)),
      late_event_(make_event<&RedisResolver::on_late>(base, -1, 0, this)) {
}

RedisResolver::~RedisResolver() = default;

void RedisResolver::start(const std::string& host, std::uint16_t port, Done done) {
  CHECK(!done_);
  done_ = std::move(done);
  const timeval wait = to_timeval(kResolveWait);
  event_add(late_event_.get(), &wait);
  const bool take_up = job_ != nullptr && !job_->finished && job_->host == host &&
                       job_->port == std::to_string(port) &&
                       (!job_->late || *threads_ >= kResolveThreadsMax);
  if (!take_up) begin(host, port);
  if (job_ == nullptr) return;
  finished_event_ =
      make_event<&RedisResolver::on_finished>(base_, job_->ready.get(), EV_READ, this);
  event_add(finished_event_.get(), nullptr);
}

void RedisResolver::begin(const std::string& host, std::uint16_t port) {
  job_ = std::make_shared<Job>();
  job_->host = host;
  job_->port = std::to_string(port);
  job_->ready = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!job_->ready.valid()) return give_up();
  // A numeric address needs no thread, and no name server.
  run(job_, ::getaddrinfo, AI_NUMERICHOST);
  if (job_->finished) return;
  if (*threads_ >= kResolveThreadsMax) return give_up();
  const BlockedSignals blocked;
  try {
    ++*threads_;
    std::thread([job = job_, look_up = look_up_, threads = threads_] {
      run(job, look_up, 0);
      --*threads;
    }).detach();
  } catch (const std::system_error&) {
    --*threads_;
    give_up();
  }
}

/// There is nothing to wait for: on_late() says so, from the loop.
void RedisResolver::give_up() {
  job_.reset();
  event_active(late_event_.get(), EV_TIMEOUT, 0);
}

void RedisResolver::run(const std::shared_ptr<Job>& job, const LookUp& look_up, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  job->error = look_up(job->host.c_str(), job->port.c_str(), &hints, &list);
  job->system_error = errno;
  if (job->error == 0) {
    job->endpoints = collect(list);
    ::freeaddrinfo(list);
  } else if (flags != 0) {
    return;  // not numeric: the thread's turn
  }
  job->finished = true;
  const std::uint64_t one = 1;
  // Can't fail: the counter is 0 and the descriptor lives as long as the job.
  [[maybe_unused]] const ssize_t written = ::write(job->ready.get(), &one, sizeof one);
}

void RedisResolver::on_finished() {
  const std::shared_ptr<Job> job = std::exchange(job_, nullptr);
  // Readable means finished; reading the flag is what makes the thread's results ours.
  CHECK(job->finished);
  if (job->error != 0) {
    const char* text =
        job->error == EAI_SYSTEM ? std::strerror(job->system_error) : ::gai_strerror(job->error);
    return finish(fail(ErrorCode::kUnavailable, job->host + ": " + text));
  }
  if (job->endpoints.empty()) {
    return finish(fail(ErrorCode::kUnavailable, job->host + ": the name has no address"));
  }
  finish(std::move(job->endpoints));
}

void RedisResolver::on_late() {
  if (job_ == nullptr) {
    return finish(fail(ErrorCode::kSystem, "no descriptor or thread left to look the name up"));
  }
  job_->late = true;
  finish(fail(ErrorCode::kUnavailable, job_->host + ": the name server does not answer"));
}

void RedisResolver::finish(Result<RedisEndpoints> result) {
  const Done done = std::exchange(done_, nullptr);
  cancel();
  done(std::move(result));
}

void RedisResolver::cancel() {
  done_ = nullptr;
  finished_event_.reset();
  event_del(late_event_.get());
}

}  // namespace sluice::relay
