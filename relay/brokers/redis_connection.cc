#include "relay/brokers/redis_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/log.h"
#include "common/try_again.h"
#include "common/units.h"
#include "relay/brokers/redis_command.h"
#include "relay/brokers/redis_limits.h"
#include "relay/brokers/redis_socket.h"

namespace sluice::relay {
namespace {

std::string lost_reason(int error) {
  return std::string("connection to Redis lost: ") + std::strerror(error);
}

}  // namespace

RedisConnection::RedisConnection(RedisContext& context, std::string client_name,
                                 RedisConnectionUser& user)
    : context_(context),
      client_name_(std::move(client_name)),
      user_(user),
      resolver_(context.base),
      deadline_event_(make_event<&RedisConnection::on_deadline>(context.base, -1, 0, this)) {
}

RedisConnection::~RedisConnection() = default;

// ---- connecting

void RedisConnection::open() {
  CHECK(closed());
  const RedisOptions& options = context_.options;
  state_ = State::kResolving;
  password_.reset();
  if (!options.password_file.empty()) {
    Result<std::string> password = read_password_file(options.password_file);
    if (!password) return fail({password.error().message});
    password_ = *std::move(password);
  }
  if (options.host.empty()) return resolved(RedisEndpoints{unix_endpoint(options.unix_path)});
  resolver_.start(options.host, options.port,
                  [this](Result<RedisEndpoints> found) { resolved(std::move(found)); });
}

void RedisConnection::resolved(Result<RedisEndpoints> endpoints) {
  if (!endpoints) return fail({"can't resolve " + endpoints.error().message});
  endpoints_ = *std::move(endpoints);
  next_endpoint_ = 0;
  state_ = State::kConnecting;
  connect_next();
}

void RedisConnection::connect_next() {
  while (next_endpoint_ < endpoints_.size()) {
    if (start_connect(endpoints_[next_endpoint_++])) return;
  }
  fail({connect_error_});
}

bool RedisConnection::start_connect(const RedisEndpoint& endpoint) {
  read_event_.reset();
  write_event_.reset();
  Result<RedisSocket> socket = begin_connect(endpoint);
  if (!socket) {
    connect_error_ = socket.error().message;
    return false;
  }
  watch(std::move(socket->fd));
  if (socket->connected) {
    begin_handshake();
  } else {
    event_add(write_event_.get(), nullptr);
    set_deadline(kConnectWait);
  }
  return true;
}

void RedisConnection::watch(UniqueFd fd) {
  fd_ = std::move(fd);
  read_event_ = make_event<&RedisConnection::on_readable>(context_.base, fd_.get(),
                                                          EV_READ | EV_PERSIST, this);
  write_event_ =
      make_event<&RedisConnection::on_writable>(context_.base, fd_.get(), EV_WRITE, this);
}

void RedisConnection::finish_connect() {
  const RedisEndpoint& endpoint = endpoints_[next_endpoint_ - 1];
  const int error = socket_error(fd_.get());
  if (error == 0) return begin_handshake();
  connect_error_ = connect_failure(endpoint, error);
  connect_next();
}

void RedisConnection::begin_handshake() {
  state_ = State::kHandshake;
  reader_.emplace();
  last_received_ = context_.time.now();
  const RedisOptions& options = context_.options;
  handshake_.emplace(
      RedisHandshake::Settings{options.user, std::move(password_), options.db, client_name_});
  password_.reset();
  for (const RedisHandshake::Words& words : handshake_->commands()) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    append(views);
  }
  event_add(read_event_.get(), nullptr);
  set_deadline(kRedisAnswerWait);
  event_active(write_event_.get(), EV_WRITE, 0);
}

void RedisConnection::handshake_reply(const redisReply& reply) {
  const RedisHandshake::Verdict verdict = handshake_->answer(reply);
  if (verdict == RedisHandshake::Verdict::kMore) return;
  if (verdict == RedisHandshake::Verdict::kFailed) return fail(handshake_->loss());
  if (!handshake_->role_known() && !std::exchange(context_.role_warned, true)) {
    log_warn(
        "{}: Redis does not tell its ROLE (not permitted, or unknown): a replica would not be "
        "noticed",
        describe(context_.options));
  }
  server_id_ = handshake_->server_id();
  handshake_.reset();
  event_del(deadline_event_.get());
  state_ = State::kReady;
  user_.connection_ready();
}

// ---- from program to program

void RedisConnection::resume(UniqueFd fd, RedisConnectionState state) {
  CHECK(closed());
  watch(std::move(fd));
  state_ = State::kReady;
  server_id_ = std::move(state.server_id);
  output_ = std::move(state.unsent);
  last_received_ = state.last_received;
  if (state.expecting) {
    expecting_ = true;
    expecting_since_ = state.expecting_since;
    set_deadline(kRedisAnswerWait);
  }
  event_add(read_event_.get(), nullptr);
  if (output_bytes() > 0) event_active(write_event_.get(), EV_WRITE, 0);
}

RedisConnectionState RedisConnection::state() const {
  CHECK(ready());
  return {.descriptor = fd_.get(),
          .server_id = server_id_,
          .unsent = output_.substr(sent_),
          .expecting = expecting_,
          .expecting_since = expecting_since_,
          .last_received = last_received_};
}

// ---- ending

void RedisConnection::close() {
  if (closed()) return;
  state_ = State::kClosed;
  release();
}

void RedisConnection::fail(const RedisLoss& loss) {
  if (closed()) return;
  close();
  user_.connection_closed(loss);
}

void RedisConnection::release() {
  resolver_.cancel();
  event_del(deadline_event_.get());
  read_event_.reset();
  write_event_.reset();
  fd_.reset();
  reader_.reset();
  handshake_.reset();
  password_.reset();
  endpoints_.clear();
  std::string().swap(output_);
  sent_ = 0;
  waits_writable_ = false;
  expecting_ = false;
}

// ---- deadlines

void RedisConnection::set_deadline(Duration wait) {
  const timeval after = to_timeval(std::max<Duration>(wait, std::chrono::milliseconds(1)));
  event_add(deadline_event_.get(), &after);
}

void RedisConnection::expect_answer() {
  CHECK(ready());
  if (std::exchange(expecting_, true)) return;
  expecting_since_ = context_.time.now();
  set_deadline(kRedisAnswerWait);
}

void RedisConnection::answered() {
  expecting_ = false;
  event_del(deadline_event_.get());
}

void RedisConnection::on_deadline() {
  if (state_ == State::kConnecting) {
    connect_error_ = connect_failure(endpoints_[next_endpoint_ - 1], ETIMEDOUT);
    return connect_next();
  }
  if (state_ == State::kReady) {
    // An answer may stand behind many messages: whoever sends them is alive.
    const TimePoint since = std::max(expecting_since_, last_received_);
    const Duration silent = context_.time.now() - since;
    if (silent < kRedisAnswerWait) return set_deadline(kRedisAnswerWait - silent);
  }
  fail({"Redis has not answered for " + format_duration(kRedisAnswerWait)});
}

// ---- writing

void RedisConnection::send(std::span<const std::string_view> words) {
  CHECK(ready());
  const bool idle = output_bytes() == 0;
  append(words);
  leave_soon(idle);
}

void RedisConnection::send_encoded(std::string_view command) {
  CHECK(ready());
  const bool idle = output_bytes() == 0;
  compact();
  output_.append(command);
  leave_soon(idle);
}

void RedisConnection::leave_soon(bool was_idle) {
  CHECK(output_bytes() <= kRedisOutputBytesMax);
  if (was_idle && !waits_writable_) event_active(write_event_.get(), EV_WRITE, 0);
}

void RedisConnection::append(std::span<const std::string_view> words) {
  compact();
  append_redis_command(output_, words);
}

void RedisConnection::compact() {
  if (sent_ == 0 || sent_ < output_.size() / 2) return;
  output_.erase(0, sent_);
  sent_ = 0;
}

void RedisConnection::on_writable() {
  waits_writable_ = false;
  if (state_ == State::kConnecting) return finish_connect();
  flush();
}

void RedisConnection::flush() {
  while (output_bytes() > 0) {
    const ssize_t sent =
        ::send(fd_.get(), output_.data() + sent_, output_bytes(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && try_again(errno)) {
      waits_writable_ = true;
      event_add(write_event_.get(), nullptr);
      return;
    }
    if (sent < 0) {
      const int error = errno;
      // Redis may have said why before it closed.
      read_some();
      return fail({lost_reason(error)});
    }
    sent_ += static_cast<std::size_t>(sent);
    context_.stats.bytes_out += static_cast<std::size_t>(sent);
  }
  if (output_.capacity() > kRedisOutputSpareBytesMax) std::string().swap(output_);
  output_.clear();
  sent_ = 0;
  if (ready()) user_.connection_drained();
}

// ---- reading

void RedisConnection::on_readable() {
  read_some();
}

void RedisConnection::read_some() {
  std::array<char, kRedisChunkBytes> chunk;
  std::size_t total = 0;
  while (!closed() && total < kRedisReadBytesPerTurnMax) {
    const ssize_t got = ::recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && try_again(errno)) return;
    if (got < 0) return fail({lost_reason(errno)});
    if (got == 0) return fail({"Redis closed the connection"});
    const auto bytes = static_cast<std::size_t>(got);
    total += bytes;
    context_.stats.bytes_in += bytes;
    last_received_ = context_.time.now();
    received({chunk.data(), bytes});
    if (bytes < chunk.size()) return;
  }
}

void RedisConnection::received(std::string_view bytes) {
  if (state_ == State::kReady) return user_.connection_read(bytes);
  while (const RedisReplyPtr reply = reader_->next(bytes)) {
    handshake_reply(*reply);
    // Closed from inside: reader and socket are gone.
    if (closed()) return;
    if (state_ != State::kReady) continue;
    // Nothing has been asked since, so there is hardly ever more.
    const std::string rest = std::string(reader_->rest()).append(bytes);
    reader_.reset();
    if (!rest.empty()) user_.connection_read(rest);
    return;
  }
  if (!reader_->problem().empty()) fail({reader_->problem()});
}

}  // namespace sluice::relay
