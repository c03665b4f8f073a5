// One connection to Redis on the relay's loop: resolving, connecting, handshake, socket I/O. What
// comes after the handshake is its user's to read.
#pragma once

#include <hiredis/hiredis.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/random.h"
#include "common/unique_fd.h"
#include "relay/brokers/redis_error.h"
#include "relay/brokers/redis_handshake.h"
#include "relay/brokers/redis_reply_reader.h"
#include "relay/brokers/redis_resolver.h"
#include "relay/brokers/redis_url.h"
#include "relay/event_handles.h"
#include "relay/handover/redis_connection_state.h"

namespace sluice::relay {

/// Counted since the start; the last two are of now. Nothing but 64-bit counters.
struct RedisStats {
  std::uint64_t connects = 0;          ///< connections of either kind that became usable
  std::uint64_t reconnects = 0;        ///< those among them after the first of their kind
  std::uint64_t connect_failures = 0;  ///< tries that did not become usable
  std::uint64_t losses = 0;            ///< usable connections that ended
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t pings = 0;
  std::uint64_t messages = 0;
  std::uint64_t messages_too_large = 0;        ///< over what a relay link carries: told as a gap
  std::uint64_t subscribes_refused = 0;        ///< channels, each time that Redis said no
  std::uint64_t envelopes_unreadable = 0;      ///< something that is no envelope of ours
  std::uint64_t history_positions = 0;         ///< asked for
  std::uint64_t history_fetches = 0;           ///< of what a channel had missed
  std::uint64_t history_fetched = 0;           ///< publications of these
  std::uint64_t history_losses = 0;            ///< what was missing could not be had
  std::uint64_t history_duplicates = 0;        ///< heard again, dropped
  std::uint64_t history_questions_failed = 0;  ///< positions and fetches that Redis refused
  std::uint64_t presence_updates_failed = 0;   ///< batches that Redis refused
  std::size_t publishes_in_flight = 0;
  std::size_t publish_bytes_in_flight = 0;
};

/// What the parts of one Redis broker share.
struct RedisContext {
  RedisContext(RedisOptions o, event_base* b, Random& r)
      : options(std::move(o)), base(b), random(r) {}

  const RedisOptions options;
  event_base* const base;
  Random& random;
  SteadyTime time;
  RedisStats stats;
  bool role_warned = false;
  bool scripts_warned = false;
};

/// Whose connection it is. All calls come from the loop, none from inside open(), send() or
/// close(), but for connection_closed() from open().
class RedisConnectionUser {
 public:
  virtual ~RedisConnectionUser() = default;
  /// The handshake is done.
  virtual void connection_ready() = 0;
  /// What has been read; all of it is to be used up.
  virtual void connection_read(std::string_view bytes) = 0;
  /// Everything has been handed to the socket.
  virtual void connection_drained() = 0;
  /// Not after close(). It may be opened again, but not from inside.
  virtual void connection_closed(const RedisLoss& loss) = 0;
};

class RedisConnection {
 public:
  RedisConnection(RedisContext& context, std::string client_name, RedisConnectionUser& user);
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;
  ~RedisConnection();

  /// Reads the password, resolves the name and connects. Only when closed.
  void open();
  /// Goes on with one that an earlier program left: ready at once, the user is not told. Only when
  /// closed.
  void resume(UniqueFd fd, RedisConnectionState state);
  [[nodiscard]] int descriptor() const { return fd_.get(); }
  /// For another program to go on from; only when ready.
  [[nodiscard]] RedisConnectionState state() const;
  /// Without a word to the user.
  void close();
  /// The same, and the user is told. `loss` must not stand in anything of this connection's.
  void fail(const RedisLoss& loss);

  [[nodiscard]] bool closed() const { return state_ == State::kClosed; }
  [[nodiscard]] bool ready() const { return state_ == State::kReady; }

  /// Only when ready; the caller keeps what it has unsent below its own bound. Leaves in this turn
  /// of the loop.
  void send(std::span<const std::string_view> words);
  /// The same with a command that is written out (redis_command.h).
  void send_encoded(std::string_view command);
  [[nodiscard]] std::size_t output_bytes() const { return output_.size() - sent_; }

  /// Something was asked: a connection on which nothing comes for kRedisAnswerWait from now ends.
  void expect_answer();
  /// It was answered.
  void answered();

  [[nodiscard]] TimePoint last_received() const { return last_received_; }
  /// See RedisHandshake.
  [[nodiscard]] const std::string& server_id() const { return server_id_; }

 private:
  enum class State { kClosed, kResolving, kConnecting, kHandshake, kReady };

  void resolved(Result<RedisEndpoints> endpoints);
  void connect_next();
  [[nodiscard]] bool start_connect(const RedisEndpoint& endpoint);
  void watch(UniqueFd fd);
  void finish_connect();
  void begin_handshake();
  void handshake_reply(const redisReply& reply);

  void on_readable();
  void on_writable();
  void on_deadline();
  void flush();
  void append(std::span<const std::string_view> words);
  void compact();
  void leave_soon(bool was_idle);
  void read_some();
  void received(std::string_view bytes);
  void release();
  void set_deadline(Duration wait);

  RedisContext& context_;
  const std::string client_name_;
  RedisConnectionUser& user_;
  State state_ = State::kClosed;
  RedisResolver resolver_;
  EventPtr deadline_event_;

  RedisEndpoints endpoints_;
  std::size_t next_endpoint_ = 0;
  std::string connect_error_;
  std::optional<std::string> password_;
  std::optional<RedisHandshake> handshake_;
  std::string server_id_;

  UniqueFd fd_;
  EventPtr read_event_;
  EventPtr write_event_;
  std::optional<RedisReplyReader> reader_;  ///< of the handshake
  std::string output_;
  std::size_t sent_ = 0;  ///< of output_
  bool waits_writable_ = false;
  bool expecting_ = false;
  TimePoint expecting_since_{};
  TimePoint last_received_{};
};

}  // namespace sluice::relay
