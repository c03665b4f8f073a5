#include "gateway/demo_pages.h"

#include <algorithm>

#include "common/check.h"
#include "gateway/embedded_files.h"
#include "gateway/upgrade_request.h"

namespace sluice::gateway {
namespace {

/// Everything from here, nothing inline, nobody may frame it. 'self' covers ws: and wss: of the
/// same host and port (CSP level 3).
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

[[nodiscard]] std::string_view content_type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  CHECK(false);
}

[[nodiscard]] const EmbeddedFile* find_file(std::string_view path) {
  if (!path.starts_with('/')) return nullptr;
  const std::string_view name = path == "/" ? "index.html" : path.substr(1);
  // One address for one page.
  if (path == "/index.html") return nullptr;
  const auto files = demo_files();
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const EmbeddedFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

/// no-store, which build_reply() sets, instead of an ETag: behind a balancer the files come from
/// gateways of different versions.
[[nodiscard]] std::string build_page(const EmbeddedFile& file, bool omit_body) {
  Reply reply;
  reply.content_type = content_type_of(file.name);
  reply.body = file.bytes;
  reply.omit_body = omit_body;
  reply.headers = {
      {"Content-Security-Policy", std::string(kPolicy)},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      // An isolated page: the browser then lets it measure time finer than 0.1 ms.
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Embedder-Policy", "require-corp"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
  };
  return build_reply(reply);
}

}  // namespace

std::optional<PageAnswer> DemoPages::answer(const HttpHead& head) const {
  if (head.has_token("upgrade", "websocket")) return std::nullopt;
  const EmbeddedFile* file = find_file(request_path(head.target));
  if (file == nullptr) return std::nullopt;
  const bool is_head = head.method == "HEAD";
  if (is_head || head.method == "GET") return PageAnswer{build_page(*file, is_head), std::nullopt};
  Reply reply;
  reply.status = 405;
  reply.body = "only GET and HEAD are served here\n";
  reply.headers = {{"Allow", "GET, HEAD"}};
  return PageAnswer{build_reply(reply), RefusalReason::kMethod};
}

}  // namespace sluice::gateway
