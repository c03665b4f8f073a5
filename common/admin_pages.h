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

/// Who asks, for pages that care.
struct AdminPeer {
  std::string address;  ///< without the port; "unix" over a Unix socket
  /// What a balancer's health check says of the server that it checks, if it says that; empty
  /// otherwise, and when nobody waits for the answer any more.
  std::string balancer_state{};
};

class AdminPages {
 public:
  using Page = std::function<HttpReply(const AdminPeer&)>;
  void add(std::string path, std::function<HttpReply()> page) {
    add_for_peer(std::move(path), [page = std::move(page)](const AdminPeer&) { return page(); });
  }
  void add_for_peer(std::string path, Page page) { pages_[std::move(path)] = std::move(page); }
  /// 405 for other methods than GET, 404 for unknown paths; a query string is ignored.
  [[nodiscard]] HttpReply handle(std::string_view method, std::string_view target,
                                 const AdminPeer& peer = {}) const;

 private:
  std::map<std::string, Page, std::less<>> pages_;
};

}  // namespace sluice
