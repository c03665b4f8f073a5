// One question on its way: a POST by libcurl, with the bounds on what comes back. Made when it is
// sent, gone when it has ended.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/hooks/curl_multi.h"
#include "gateway/hooks/hooks.h"

namespace sluice::gateway {

class HookTransfer {
 public:
  struct Settings {
    std::string url;
    std::size_t answer_bytes_max = 0;
    const std::vector<std::string>* forwarded_headers = nullptr;
  };
  /// `request` must outlive it, for libcurl sends the body from there. `owner` comes back by
  /// owner_of(). Null: libcurl has no memory.
  [[nodiscard]] static std::unique_ptr<HookTransfer> start(CurlMulti& multi,
                                                           const Settings& settings,
                                                           const HookRequest& request, void* owner);
  ~HookTransfer();
  HookTransfer(const HookTransfer&) = delete;
  HookTransfer& operator=(const HookTransfer&) = delete;

  [[nodiscard]] static void* owner_of(CURL* transfer);

  struct Outcome {
    HookFault fault = HookFault::kNone;
    bool ill = false;   ///< it says that the endpoint is not well, for the breaker
    std::string cause;  ///< of a fault, for the log
    std::string body;   ///< of a 200
  };
  /// When libcurl says that it is done. Takes the body.
  [[nodiscard]] Outcome outcome(CURLcode code);

 private:
  using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
  using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

  HookTransfer(CurlMulti& multi, const Settings& settings);
  [[nodiscard]] bool prepare(const Settings& settings, const HookRequest& request, void* owner);
  [[nodiscard]] bool add_header(const std::string& line);
  [[nodiscard]] bool add_headers(const Settings& settings, const HookRequest& request);

  static std::size_t on_head(char* bytes, std::size_t one, std::size_t size, void* self) noexcept;
  static std::size_t on_body(char* bytes, std::size_t one, std::size_t size, void* self) noexcept;
  static curl_socket_t open_socket(void* self, curlsocktype purpose,
                                   curl_sockaddr* address) noexcept;

  CurlMulti& multi_;
  const std::size_t body_bytes_max_;
  Headers headers_;
  Easy easy_;
  bool added_ = false;
  bool too_large_ = false;
  std::size_t head_bytes_ = 0;
  std::string body_;
};

}  // namespace sluice::gateway
