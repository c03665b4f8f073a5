#include "gateway/hooks/hook_settings.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

/// Ours to say, or for one hop only.
constexpr std::array<std::string_view, 14> kOwnHeaders = {"accept",
                                                          "connection",
                                                          "content-encoding",
                                                          "content-length",
                                                          "content-type",
                                                          "expect",
                                                          "host",
                                                          "keep-alive",
                                                          "proxy-authorization",
                                                          "proxy-connection",
                                                          "te",
                                                          "trailer",
                                                          "transfer-encoding",
                                                          "upgrade"};

[[nodiscard]] std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  const std::unique_ptr<char, decltype(&curl_free)> owner(text, curl_free);
  return text;
}

/// RFC 9110: a token.
[[nodiscard]] bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

Result<std::string> parse_hook_url(const std::string& text) {
  if (text.size() > kHookUrlBytesMax) return fail(ErrorCode::kTooLarge, "the URL is too long");
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7F'; });
  const Url url(curl_url(), curl_url_cleanup);
  if (!printable || url == nullptr ||
      curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return fail(ErrorCode::kInvalid, "it is not a URL: http://HOST[:PORT]/PATH");
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https")
    return fail(ErrorCode::kInvalid, "the URL must begin with http:// or https://");
  // libcurl would take "http:/x" and "http:///x" for a host x.
  const bool has_host = text.substr(scheme.size(), 3) == "://" && text[scheme.size() + 3] != '/';
  if (!has_host || part_of(url.get(), CURLUPART_HOST).empty())
    return fail(ErrorCode::kInvalid, "the URL has no host: http://HOST[:PORT]/PATH");
  if (!part_of(url.get(), CURLUPART_FRAGMENT).empty())
    return fail(ErrorCode::kInvalid, "a URL with a # is for browsers: nothing behind it is sent");
  return text;
}

Result<std::string> parse_hook_header(const std::string& text) {
  std::string name = text;
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_char))
    return fail(ErrorCode::kInvalid, "'" + text + "' is not a header's name, such as cookie");
  if (std::find(kOwnHeaders.begin(), kOwnHeaders.end(), name) != kOwnHeaders.end() ||
      name.starts_with("sec-websocket-")) {
    return fail(ErrorCode::kInvalid,
                "'" + text + "' belongs to the client's own connection: it can't be forwarded");
  }
  return name;
}

}  // namespace sluice::gateway
