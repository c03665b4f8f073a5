#include "gateway/hooks/hook_transfer.h"

#include <sys/socket.h>

#include <algorithm>
#include <string_view>

#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

constexpr long kStatusOk = 200;
constexpr long kStatusTooMany = 429;
constexpr long kStatusServerError = 500;

/// What the acceptor lets through, seen once more: these bytes are a client's, and they go into a
/// head of ours.
[[nodiscard]] bool safe_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7F';
  });
}

}  // namespace

HookTransfer::HookTransfer(CurlMulti& multi, const Settings& settings)
    : multi_(multi),
      body_bytes_max_(settings.answer_bytes_max),
      headers_(nullptr, curl_slist_free_all),
      easy_(curl_easy_init(), curl_easy_cleanup) {
}

HookTransfer::~HookTransfer() {
  if (added_) multi_.remove(easy_.get());
}

std::unique_ptr<HookTransfer> HookTransfer::start(CurlMulti& multi, const Settings& settings,
                                                  const HookRequest& request, void* owner) {
  std::unique_ptr<HookTransfer> transfer(new HookTransfer(multi, settings));
  if (transfer->easy_ == nullptr || !transfer->prepare(settings, request, owner)) return nullptr;
  transfer->added_ = multi.add(transfer->easy_.get());
  return transfer->added_ ? std::move(transfer) : nullptr;
}

void* HookTransfer::owner_of(CURL* transfer) {
  void* owner = nullptr;
  curl_easy_getinfo(transfer, CURLINFO_PRIVATE, &owner);
  return owner;
}

bool HookTransfer::prepare(const Settings& settings, const HookRequest& request, void* owner) {
  bool fine = add_headers(settings, request);
  const auto set = [this, &fine](CURLoption option, auto value) {
    fine = fine && curl_easy_setopt(easy_.get(), option, value) == CURLE_OK;
  };
  set(CURLOPT_URL, settings.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDS, request.body.data());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  set(CURLOPT_HTTPHEADER, headers_.get());
  set(CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
  // What the endpoint is, the flag says: not a redirect, and not the environment.
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  // Names are looked up in threads. Without this an ended question would wait for its thread, and
  // the loop with it.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(settings.answer_bytes_max));
  set(CURLOPT_HEADERFUNCTION, on_head);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_PRIVATE, owner);
  return fine;
}

bool HookTransfer::add_header(const std::string& line) {
  curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
  if (longer == nullptr) return false;
  static_cast<void>(headers_.release());
  headers_.reset(longer);
  return true;
}

bool HookTransfer::add_headers(const Settings& settings, const HookRequest& request) {
  // libcurl would ask for a word before large bodies, and wait a second for it.
  bool fine = add_header("Content-Type: application/json") && add_header("Expect:");
  const std::vector<std::string>& allowed = *settings.forwarded_headers;
  for (const auto& [name, value] : request.headers) {
    const bool wanted = std::find(allowed.begin(), allowed.end(), name) != allowed.end();
    if (!wanted || !safe_value(value)) continue;
    // To libcurl "name:" means that there shall be no such header.
    std::string line = name;
    line.append(value.empty() ? ";" : ": ").append(value);
    fine = fine && add_header(line);
  }
  return fine;
}

std::size_t HookTransfer::on_head(char* /*bytes*/, std::size_t /*one*/, std::size_t size,
                                  void* self) noexcept {
  auto& transfer = *static_cast<HookTransfer*>(self);
  transfer.head_bytes_ += size;
  if (transfer.head_bytes_ <= kHookHeadBytesMax) return size;
  transfer.too_large_ = true;
  return 0;
}

std::size_t HookTransfer::on_body(char* bytes, std::size_t /*one*/, std::size_t size,
                                  void* self) noexcept {
  auto& transfer = *static_cast<HookTransfer*>(self);
  if (size > transfer.body_bytes_max_ - transfer.body_.size()) {
    transfer.too_large_ = true;
    return 0;
  }
  transfer.body_.append(bytes, size);
  return size;
}

// As all our descriptors are: no program that we start has them.
curl_socket_t HookTransfer::open_socket(void* /*self*/, curlsocktype /*purpose*/,
                                        curl_sockaddr* address) noexcept {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address->protocol);
}

HookTransfer::Outcome HookTransfer::outcome(CURLcode code) {
  Outcome outcome;
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == kStatusOk) {
      outcome.body = std::move(body_);
    } else {
      outcome.fault = HookFault::kStatus;
      // Another 4xx is an answer to what was asked.
      outcome.ill = status >= kStatusServerError || status == kStatusTooMany;
      outcome.cause = "status " + std::to_string(status);
    }
  } else if (too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
    outcome.fault = HookFault::kTooLarge;
    outcome.cause = "the answer is too large";
  } else {
    outcome.fault = HookFault::kUnreachable;
    outcome.ill = true;
    outcome.cause = curl_easy_strerror(code);
  }
  return outcome;
}

}  // namespace sluice::gateway
