#include "tests/process/support/hook_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <stdexcept>

namespace sluice::test {
namespace {

[[nodiscard]] bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// More bytes at the end of `buffer`; false: the stream has ended.
[[nodiscard]] bool receive_more(int fd, std::string& buffer) {
  char bytes[16384];
  // Not recv: a program under test may have one of its own.
  const ssize_t n = ::recvfrom(fd, bytes, sizeof bytes, 0, nullptr, nullptr);
  if (n <= 0) return false;
  buffer.append(bytes, static_cast<std::size_t>(n));
  return true;
}

[[nodiscard]] std::map<std::string, std::string> headers_of(std::string_view lines) {
  std::map<std::string, std::string> headers;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(std::min(lines.size(), line.size() + 2));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    const std::size_t begin = line.find_first_not_of(' ', colon + 1);
    headers[name] = begin == std::string_view::npos ? "" : line.substr(begin);
  }
  return headers;
}

/// Takes one question off the front of `buffer`; nothing: the stream has ended.
[[nodiscard]] std::optional<HookQuestion> read_question(int fd, std::string& buffer) {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!receive_more(fd, buffer)) return std::nullopt;
  }
  HookQuestion question;
  const std::string head = buffer.substr(0, end + 2);
  const std::string line = head.substr(0, head.find("\r\n"));
  question.method = line.substr(0, line.find(' '));
  question.path = line.substr(question.method.size() + 1);
  question.path.resize(question.path.find(' '));
  question.headers = headers_of(std::string_view(head).substr(line.size() + 2));
  const auto length = question.headers.find("content-length");
  const std::size_t size =
      length == question.headers.end() ? 0 : std::strtoul(length->second.c_str(), nullptr, 10);
  buffer.erase(0, end + 4);
  while (buffer.size() < size) {
    if (!receive_more(fd, buffer)) return std::nullopt;
  }
  question.body = buffer.substr(0, size);
  buffer.erase(0, size);
  return question;
}

[[nodiscard]] std::string chunk(const std::string& body) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", body.size());
  return size + body + "\r\n";
}

}  // namespace

HookServer::HookServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), generic, length) != 0 || ::listen(listener_.get(), 512) != 0 ||
      ::getsockname(listener_.get(), generic, &length) != 0)
    throw std::runtime_error("hook server: no socket to listen on");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

HookServer::~HookServer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (const auto& connection : connections_) {
    ::shutdown(connection->fd.get(), SHUT_RDWR);
    connection->thread.join();
  }
}

std::string HookServer::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

void HookServer::on(const std::string& path, Answer answer) {
  const std::lock_guard lock(mutex_);
  answers_[path] = std::move(answer);
}

void HookServer::release() {
  {
    const std::lock_guard lock(mutex_);
    released_ = true;
  }
  changed_.notify_all();
}

std::vector<HookQuestion> HookServer::questions() const {
  const std::lock_guard lock(mutex_);
  return questions_;
}

bool HookServer::wait_questions(std::size_t n, std::chrono::milliseconds wait) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, wait, [&] { return questions_.size() >= n; });
}

std::size_t HookServer::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

void HookServer::accept_all() {
  while (true) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex_);
    if (!fd.valid() || ending_) return;
    auto connection = std::make_unique<Connection>();
    connection->fd = std::move(fd);
    const std::size_t number = connections_.size() + 1;
    connection->thread =
        std::thread([this, number, raw = connection->fd.get()] { serve(raw, number); });
    connections_.push_back(std::move(connection));
  }
}

void HookServer::serve(int fd, std::size_t number) {
  std::string buffer;
  while (auto question = read_question(fd, buffer)) {
    question->connection = number;
    {
      const std::lock_guard lock(mutex_);
      questions_.push_back(*question);
    }
    changed_.notify_all();
    if (!answer(fd, *question)) break;
  }
  // The descriptor itself lives as long as the server: its number means nobody else.
  ::shutdown(fd, SHUT_RDWR);
}

void HookServer::wait_for(const HookReply& reply) {
  std::unique_lock lock(mutex_);
  if (reply.hold) changed_.wait(lock, [&] { return released_ || ending_; });
  changed_.wait_for(lock, reply.delay, [&] { return ending_; });
}

bool HookServer::answer(int fd, const HookQuestion& question) {
  Answer make;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = answers_.find(question.path); found != answers_.end())
      make = found->second;
  }
  const HookReply reply = make ? make(question) : HookReply();
  wait_for(reply);
  using End = HookReply::End;
  if (reply.end == End::kCutBefore) return false;
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " Answer\r\n" + reply.headers;
  if (reply.end == End::kEndless) {
    if (!send_all(fd, head + "Transfer-Encoding: chunked\r\n\r\n")) return false;
    while (send_all(fd, chunk(reply.body))) {
    }
    return false;
  }
  head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n\r\n";
  const std::size_t sent = reply.end == End::kCutInside ? reply.body.size() / 2 : reply.body.size();
  return send_all(fd, head + reply.body.substr(0, sent)) && reply.end == End::kKeep;
}

}  // namespace sluice::test
