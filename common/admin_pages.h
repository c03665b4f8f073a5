// What the admin listeners serve, whatever event loop carries it: GET alone, a closed set of paths.
// Pure.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace sluice {

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

class AdminPages {
 public:
  void add(std::string path, std::function<HttpReply()> page) {
    pages_[std::move(path)] = std::move(page);
  }
  /// 405 for other methods than GET, 404 for unknown paths; a query string is ignored.
  [[nodiscard]] HttpReply handle(std::string_view method, std::string_view target) const;

 private:
  std::map<std::string, std::function<HttpReply()>, std::less<>> pages_;
};

}  // namespace sluice
