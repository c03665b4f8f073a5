// One connection of the server API: reads a request, waits for its answer, writes that, then reads
// the next. Each of these has a deadline that bytes which dribble in do not move. Own code for the
// reason that relay/admin.h gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/unique_fd.h"
#include "relay/api/http_head.h"
#include "relay/event_handles.h"

namespace sluice::relay::api {

class HttpConnection;

class HttpConnectionOwner {
 public:
  virtual ~HttpConnectionOwner() = default;
  /// Whether the request that begins so is wanted: 200, and http_finished() will come for it. Else
  /// the refusal; its body is not read.
  [[nodiscard]] virtual int http_admit(const HttpHead& head) = 0;
  /// Whole; to be answered once, now or later.
  virtual void http_request(HttpConnection& connection, const std::string& path,
                            std::string body) = 0;
  /// An admitted request has ended: its answer has left, or its connection has ended.
  virtual void http_finished(std::size_t body_bytes) = 0;
  /// What is told to who is refused.
  [[nodiscard]] virtual std::string http_refusal(int status) = 0;
  virtual void http_timed_out() = 0;
  /// To be freed, but not from inside.
  virtual void http_closed(HttpConnection& connection) = 0;
};

class HttpConnection {
 public:
  HttpConnection(event_base* base, UniqueFd fd, std::uint64_t id, HttpConnectionOwner& owner);

  [[nodiscard]] std::uint64_t id() const { return id_; }
  /// To the request that was handed out.
  void answer(int status, std::string_view body);
  /// Says so and closes, whatever has been read.
  void refuse(int status);
  /// No further request is read while it is off; those that were handed out are answered.
  void take_in(bool on);
  /// Without a word, unless an answer is being written or made: then behind that.
  void end();

 private:
  enum class State { kReading, kAnswering, kWriting, kDraining, kClosed };

  void on_readable();
  void on_writable();
  void on_deadline();
  void read_some();
  /// Makes of the bytes read what can be made of them.
  void advance();
  void begin_request(const HttpHead& head);
  void hand_out();
  void write(int status, std::string_view body);
  void written();
  void drain();
  void finish_request();
  void wait_for_request();
  void set_deadline(Duration wait);
  void read_on(bool on);
  void close();

  UniqueFd fd_;
  const std::uint64_t id_;
  HttpConnectionOwner& owner_;
  EventPtr read_event_;
  EventPtr write_event_;
  EventPtr deadline_event_;
  State state_ = State::kReading;
  std::string in_;
  std::string out_;
  std::size_t sent_ = 0;
  std::size_t drained_ = 0;
  // Of the request under way.
  bool admitted_ = false;
  bool keep_alive_ = false;
  bool deadline_is_heads_ = false;
  std::size_t head_bytes_ = 0;
  std::size_t body_bytes_ = 0;
  std::string path_;
  bool taking_in_ = true;
  bool peer_finished_ = false;
};

}  // namespace sluice::relay::api
