#include "gateway/hooks/curl_multi.h"

#include <chrono>
#include <utility>

#include "common/check.h"

namespace sluice::gateway {

CurlMulti::CurlMulti(EventLoop& loop, long kept, std::function<void(CURL*, CURLcode)> done)
    : loop_(loop),
      done_(std::move(done)),
      timer_(loop, [this] { act(CURL_SOCKET_TIMEOUT, 0); }),
      multi_(curl_multi_init()) {
  CHECK(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kept);
}

// It closes its connections, and has their watchers stopped while it does.
CurlMulti::~CurlMulti() {
  curl_multi_cleanup(multi_);
}

bool CurlMulti::add(CURL* transfer) {
  return curl_multi_add_handle(multi_, transfer) == CURLM_OK;
}

void CurlMulti::remove(CURL* transfer) {
  curl_multi_remove_handle(multi_, transfer);
}

int CurlMulti::on_socket(CURL* /*transfer*/, curl_socket_t fd, int what, void* self,
                         void* /*socket*/) noexcept {
  static_cast<CurlMulti*>(self)->watch(fd, what);
  return 0;
}

int CurlMulti::on_timer(CURLM* /*multi*/, long after_ms, void* self) noexcept {
  Timer& timer = static_cast<CurlMulti*>(self)->timer_;
  if (after_ms < 0) {
    timer.stop();
  } else {
    timer.start_once(std::chrono::milliseconds(after_ms));
  }
  return 0;
}

void CurlMulti::watch(int fd, int what) {
  // Told before the descriptor is closed.
  if (what == CURL_POLL_REMOVE) {
    watchers_.erase(fd);
    return;
  }
  std::unique_ptr<IoWatcher>& watcher = watchers_[fd];
  if (watcher == nullptr) {
    watcher = std::make_unique<IoWatcher>(loop_, fd, [this, fd](IoEvents ready) {
      act(fd, ((ready & kIoRead) != 0 ? CURL_CSELECT_IN : 0) |
                  ((ready & kIoWrite) != 0 ? CURL_CSELECT_OUT : 0));
    });
  }
  watcher->watch(((what & CURL_POLL_IN) != 0 ? kIoRead : kIoNone) |
                 ((what & CURL_POLL_OUT) != 0 ? kIoWrite : kIoNone));
}

void CurlMulti::act(curl_socket_t fd, int ready) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, ready, &running);
  int left = 0;
  // A message lives until its transfer is removed.
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) done_(message->easy_handle, message->data.result);
  }
}

}  // namespace sluice::gateway
