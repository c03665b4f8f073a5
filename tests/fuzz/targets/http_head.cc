// HTTP request heads and the judge of upgrades (gateway/http_head, upgrade_request, refusal).
// Promises:
//  - the scanner's verdict and the head's end do not depend on how the bytes come;
//  - every view of a parsed head lies inside it, and none holds what could end a line;
//  - what is let through has a channel name and a key of the allowed form; what is not gets a whole
//    reply.
#include <string>

#include "common/check.h"
#include "gateway/http_head.h"
#include "gateway/refusal.h"
#include "gateway/upgrade_request.h"
#include "tests/fuzz/input.h"

namespace sluice::gateway {
namespace {

using Verdict = HeadScanner::Verdict;

/// Some of them small, so that the bound is met.
constexpr std::size_t kBounds[] = {kHeadBytesMax, 256, 512};

const UpgradeOptions& options() {
  static const UpgradeOptions instance{
      .default_channel = "livechat",
      .allowed_origins = {"https://example.org", "http://[::1]:8080", "null"},
      .subprotocols = {{"sluice.v1", ProtocolKind::kPlain}, {"chat", ProtocolKind::kPlain}}};
  return instance;
}

struct Scanned {
  Verdict verdict = Verdict::kMore;
  std::size_t end = 0;
};

Scanned scan(std::string_view bytes, std::size_t bytes_max, fuzz::Chunks chunks) {
  HeadScanner scanner;
  std::size_t have = 0;
  Scanned out;
  while (have < bytes.size() && out.verdict == Verdict::kMore) {
    have += chunks.next(bytes.size() - have);
    // A copy each time: what was received may have moved, and ends here.
    const std::string received(bytes.substr(0, have));
    out.verdict = scanner.scan(received, bytes_max);
    out.end = scanner.end();
    CHECK(out.end <= have && out.end <= bytes_max);
  }
  return out;
}

bool inside(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

bool one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

void check_refusal(const Refusal& refusal) {
  CHECK(refusal.status >= 400 && refusal.status < 600 && one_line(refusal.text));
  const std::string reply = build_refusal(refusal);
  CHECK(reply.starts_with("HTTP/1.1 " + std::to_string(refusal.status) + " "));
  const std::size_t end = reply.find("\r\n\r\n");
  CHECK(end != std::string::npos);
  const std::string length =
      "\r\nContent-Length: " + std::to_string(reply.size() - end - 4) + "\r\n";
  CHECK(reply.substr(0, end + 2).find(length) != std::string::npos);
  CHECK(build_refusal(refusal, true) == reply.substr(0, end + 4));
}

void check_judgement(const HttpHead& head) {
  const auto judged = judge_upgrade(head, options());
  if (!judged) return check_refusal(judged.error());
  CHECK(head.method == "GET" && head.version_minor == 1);
  CHECK(valid_channel_name(judged->channel));
  CHECK(judged->sec_websocket_key.size() == 24 && one_line(judged->sec_websocket_key));
  for (const std::string* text : {&judged->host, &judged->origin, &judged->user_agent}) {
    CHECK(one_line(*text));
  }
  CHECK(judged->subprotocol.empty() || judged->subprotocol == "sluice.v1" ||
        judged->subprotocol == "chat");
  CHECK(judged->origin.empty() || head.count("origin") >= 1);
}

void check_head(std::string_view bytes) {
  HttpHead head;
  const char* problem = nullptr;
  const HeadStatus status = parse_head(bytes, head, problem);
  CHECK(head.header_count <= kHeadersMax);
  if (status != HeadStatus::kOk) {
    CHECK(problem != nullptr && *problem != '\0');
    return;
  }
  CHECK(inside(head.method, bytes) && inside(head.target, bytes) && one_line(head.target));
  for (const HttpHeader& header : head.headers()) {
    CHECK(inside(header.name, bytes) && inside(header.value, bytes));
    CHECK(one_line(header.name) && one_line(header.value) && !header.name.empty());
    CHECK(header.value == trim_blanks(header.value));
    CHECK(head.count(header.name) >= 1 && head.find(to_lower(header.name)).has_value());
  }
  CHECK(head.count("host") == 1 || (head.count("host") == 0 && head.version_minor == 0));
  check_judgement(head);
}

void check_origin(std::string_view text) {
  const Result<std::string> origin = parse_origin(text);
  if (!origin) return;
  // The form in which they are compared has itself as its form.
  const Result<std::string> again = parse_origin(*origin);
  CHECK(again && *again == *origin);
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  using namespace sluice::gateway;
  fuzz::Input input(data, size);
  const std::size_t bytes_max = kBounds[input.below(std::size(kBounds))];
  const fuzz::Chunks chunks(input);
  const std::string_view bytes = fuzz::as_text(input.rest());
  const Scanned whole = scan(bytes, bytes_max, fuzz::Chunks());
  const Scanned cut = scan(bytes, bytes_max, chunks);
  CHECK(whole.verdict == cut.verdict && whole.end == cut.end);
  CHECK(whole.verdict != Verdict::kMore || bytes.size() < bytes_max);
  if (whole.verdict == Verdict::kWhole) check_head(std::string(bytes.substr(0, whole.end)));
  check_origin(bytes.substr(0, std::min<std::size_t>(bytes.size(), 300)));
  return 0;
}
