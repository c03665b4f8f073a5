// The application's side of hooks: an HTTP/1.1 server that answers as it is told, keeps what it was
// asked, and can misbehave in the ways that applications do. A thread per connection; stands on
// nothing else of the harness, so unit tests use it as well.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/unique_fd.h"

namespace sluice::test {

struct HookQuestion {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  std::size_t connection = 0;  ///< the how manieth of the server, from 1
};

struct HookReply {
  enum class End {
    kKeep,       ///< the connection stays open
    kClose,      ///< closed behind the whole answer
    kCutBefore,  ///< closed without a byte
    kCutInside,  ///< closed behind half of the body
    kEndless,    ///< the body is sent again and again, in chunks, until the peer is gone
  };
  int status = 200;
  std::string body = R"({"result":{}})";
  std::string headers{};  ///< further ones, each with its CRLF
  End end = End::kKeep;
  bool hold = false;  ///< not before HookServer::release()
  std::chrono::milliseconds delay{};
};

class HookServer {
 public:
  /// Listens on a port of the loopback that the kernel chooses.
  HookServer();
  ~HookServer();
  HookServer(const HookServer&) = delete;
  HookServer& operator=(const HookServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// "http://127.0.0.1:PORT" + path
  [[nodiscard]] std::string url(const std::string& path) const;

  using Answer = std::function<HookReply(const HookQuestion&)>;
  /// For this path from now on; runs in a thread of the server. Other paths are answered with an
  /// empty result.
  void on(const std::string& path, Answer answer);
  /// Lets go what is held, and holds nothing any more.
  void release();

  [[nodiscard]] std::vector<HookQuestion> questions() const;
  /// Until so many have come in whole; false: not within `wait`.
  [[nodiscard]] bool wait_questions(std::size_t n, std::chrono::milliseconds wait) const;
  [[nodiscard]] std::size_t connections() const;

 private:
  struct Connection {
    UniqueFd fd;
    std::thread thread;
  };
  void accept_all();
  void serve(int fd, std::size_t number);
  /// False: the connection is at its end.
  [[nodiscard]] bool answer(int fd, const HookQuestion& question);
  void wait_for(const HookReply& reply);

  UniqueFd listener_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<std::string, Answer> answers_;
  std::vector<HookQuestion> questions_;
  std::vector<std::unique_ptr<Connection>> connections_;
  bool released_ = false;
  bool ending_ = false;
  std::thread acceptor_;
};

}  // namespace sluice::test
