// One admin connection: reads a request, writes the reply, then waits for the peer to close, so
// that what it still sends does not tear the reply away. One deadline covers all of it, so a peer
// that dribbles, does not read or does not close holds its place no longer than one that is silent.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "common/admin_pages.h"
#include "common/unique_fd.h"
#include "relay/event_handles.h"

namespace sluice::relay {

class AdminConnection;

class AdminConnectionOwner {
 public:
  virtual ~AdminConnectionOwner() = default;
  /// The reply to a request that could be read.
  [[nodiscard]] virtual HttpReply admin_page(std::string_view method, std::string_view target) = 0;
  virtual void admin_malformed() = 0;
  virtual void admin_timed_out() = 0;
  /// To be freed, but not from inside.
  virtual void admin_closed(AdminConnection& connection) = 0;
};

class AdminConnection {
 public:
  AdminConnection(event_base* base, UniqueFd fd, AdminConnectionOwner& owner);

  /// Answers before anything has been read.
  void refuse(int status, std::string_view text);

 private:
  enum class State { kReading, kWriting, kDraining, kClosed };

  void on_readable();
  void on_writable();
  void on_deadline();
  void read_request();
  void drain();
  void reply(const HttpReply& page);
  void close();

  UniqueFd fd_;
  AdminConnectionOwner& owner_;
  EventPtr read_event_;
  EventPtr write_event_;
  EventPtr deadline_event_;
  State state_ = State::kReading;
  std::string bytes_;  ///< of the request, then of the reply
  std::size_t sent_ = 0;
  std::size_t drained_ = 0;
};

}  // namespace sluice::relay
