// RESP2, blocking.
#include "tests/process/support/resp.h"

namespace sluice::test {

std::string RespClient::command(const std::vector<std::string>& words, Millis wait) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  socket_.send_all(bytes);
  return read_reply(wait);
}

std::string RespClient::read_reply(Millis wait) {
  return reply(Deadline::in(wait));
}

void RespClient::fill(const Deadline& deadline) {
  const ReadResult part = socket_.read_some(Millis(deadline.left_ms()));
  if (part.end != ReadEnd::kData) throw HarnessError("Redis does not answer");
  buffer_ += part.data;
}

std::string RespClient::line(const Deadline& deadline) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) fill(deadline);
  std::string text = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return text;
}

std::string RespClient::exactly(std::size_t bytes, const Deadline& deadline) {
  while (buffer_.size() < bytes + 2) fill(deadline);
  std::string text = buffer_.substr(0, bytes);
  buffer_.erase(0, bytes + 2);
  return text;
}

std::string RespClient::reply(const Deadline& deadline) {
  const std::string head = line(deadline);
  std::string rest = head.substr(1);
  switch (head[0]) {
    case '-':
      throw HarnessError("Redis: " + rest);
    case '$':
      return rest == "-1" ? "(nil)" : exactly(std::stoul(rest), deadline);
    case '*': {
      std::string all;
      for (long i = 0, count = std::stol(rest); i < count; ++i) {
        if (i > 0) all += "\n";
        all += reply(deadline);
      }
      return all;
    }
    default:
      return rest;
  }
}

}  // namespace sluice::test
