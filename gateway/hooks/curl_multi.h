// libcurl's transfers on the gateway's loop: its descriptors and its one timer are watchers of ours
// (the multi-socket interface). Knows nothing of hooks.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <unordered_map>

#include "gateway/event_loop.h"

namespace sluice::gateway {

class CurlMulti {
 public:
  /// `done` is called from the loop, never from inside add(); it removes the transfer, and may add
  /// others. `kept` connections stay open between transfers.
  CurlMulti(EventLoop& loop, long kept, std::function<void(CURL*, CURLcode)> done);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  /// False: libcurl has no memory.
  [[nodiscard]] bool add(CURL* transfer);
  /// Ends it wherever it stands; its connection is closed unless it is at its end.
  void remove(CURL* transfer);

 private:
  static int on_socket(CURL* transfer, curl_socket_t fd, int what, void* self,
                       void* socket) noexcept;
  static int on_timer(CURLM* multi, long after_ms, void* self) noexcept;
  void watch(int fd, int what);
  void act(curl_socket_t fd, int ready);

  EventLoop& loop_;
  std::function<void(CURL*, CURLcode)> done_;
  Timer timer_;
  std::unordered_map<int, std::unique_ptr<IoWatcher>> watchers_;
  CURLM* multi_;
};

}  // namespace sluice::gateway
