// Minimal HTTP client.
#include "tests/process/support/http.h"

#include <algorithm>
#include <cctype>

namespace sluice::test {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string trim(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

HttpResponse parse_head(const std::string& head) {
  HttpResponse response;
  std::size_t end = head.find("\r\n");
  const std::string first = head.substr(0, end);
  if (first.rfind("HTTP/1.", 0) != 0 || first.size() < 12) {
    throw HarnessError("not an HTTP response: " + first);
  }
  response.status = std::stoi(first.substr(9, 3));
  response.reason = first.size() > 13 ? first.substr(13) : "";
  while (end != std::string::npos && end + 2 < head.size()) {
    const std::size_t begin = end + 2;
    end = head.find("\r\n", begin);
    const std::string line = head.substr(begin, end - begin);
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    response.headers[lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
  }
  return response;
}

}  // namespace

HttpResponse read_head(Socket& socket, std::string& rest, Millis wait) {
  const Deadline deadline = Deadline::in(wait);
  while (true) {
    const std::size_t end = rest.find("\r\n\r\n");
    if (end != std::string::npos) {
      HttpResponse response = parse_head(rest.substr(0, end));
      rest.erase(0, end + 4);
      return response;
    }
    const ReadResult part = socket.read_some(Millis(deadline.left_ms()));
    if (part.end == ReadEnd::kTimeout) throw HarnessError("no HTTP response in time");
    if (part.end != ReadEnd::kData) return {};
    rest += part.data;
  }
}

HttpResponse read_response(Socket& socket, Millis wait) {
  const Deadline deadline = Deadline::in(wait);
  std::string rest;
  HttpResponse response = read_head(socket, rest, wait);
  if (response.status == 0) return response;
  const auto length = response.headers.find("content-length");
  const std::size_t want =
      length == response.headers.end() ? std::string::npos : std::stoul(length->second);
  while (rest.size() < want) {
    const ReadResult part = socket.read_some(Millis(deadline.left_ms()));
    if (part.end == ReadEnd::kTimeout) throw HarnessError("HTTP body not in time");
    if (part.end != ReadEnd::kData) break;
    rest += part.data;
  }
  response.body = rest;
  return response;
}

HttpResponse http_exchange(const Endpoint& to, std::string_view request, Millis wait) {
  Socket socket = Socket::connect(to);
  (void)socket.try_send(request);
  return read_response(socket, wait);
}

HttpResponse http_get(const Endpoint& to, const std::string& target, Millis wait) {
  return http_exchange(
      to, "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", wait);
}

}  // namespace sluice::test
