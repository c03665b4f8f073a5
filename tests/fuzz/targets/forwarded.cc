// X-Forwarded-For and Forwarded in a request head (gateway/forwarded). The input is the values of
// header lines, one a line, as a proxy may send them. Promises:
//  - a client that is found is none of the trusted proxies, unless all in the list are;
//  - once the list has been read up to its answer, nothing that stands in front of it changes it:
//    neither lines nor elements;
//  - one more trusted proxy at the end changes nothing;
//  - an address, written out again in either header, is read as the same.
#include <optional>
#include <string>
#include <vector>

#include "common/check.h"
#include "gateway/forwarded.h"
#include "tests/fuzz/input.h"

namespace sluice::gateway {
namespace {

const std::vector<Cidr>& trusted() {
  static const std::vector<Cidr> instance = {Cidr::parse("10.0.0.0/8").value(),
                                             Cidr::parse("2001:db8:ffff::/48").value()};
  return instance;
}

/// Nothing: no request head could have these values.
std::optional<ForwardedClient> read(ForwardedHeader which, const std::vector<std::string>& values) {
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string& value : values) {
    bytes.append(header_name(which)).append(": ").append(value).append("\r\n");
  }
  bytes += "\r\n";
  HeadScanner scanner;
  if (scanner.scan(bytes, bytes.size() + 1) != HeadScanner::Verdict::kWhole ||
      scanner.end() != bytes.size()) {
    return std::nullopt;
  }
  HttpHead head;
  const char* problem = "";
  if (parse_head(bytes, head, problem) != HeadStatus::kOk) return std::nullopt;
  return forwarded_client(head, which, trusted());
}

bool same(const ForwardedClient& a, const ForwardedClient& b) {
  if (a.verdict != b.verdict) return false;
  return a.verdict != ForwardedVerdict::kClient || a.address == b.address;
}

/// What stands further left was not looked at.
bool arrived(const ForwardedClient& client) {
  if (client.verdict == ForwardedVerdict::kAbsent) return false;
  return client.verdict != ForwardedVerdict::kClient || !contains_any(trusted(), client.address.ip);
}

void check_address(const ClientAddress& address) {
  CHECK(!address.is_unix);
  const std::string text = to_string(address);
  const auto listed = read(ForwardedHeader::kXForwardedFor, {text});
  CHECK(listed && listed->verdict == ForwardedVerdict::kClient && listed->address == address);
  const auto element = read(ForwardedHeader::kForwarded, {"for=\"" + text + "\""});
  CHECK(element && element->verdict == ForwardedVerdict::kClient && element->address == address);
}

void check(ForwardedHeader which, std::vector<std::string> values, const std::string& in_front) {
  const auto client = read(which, values);
  if (!client) return;
  CHECK((client->verdict == ForwardedVerdict::kMalformed) == (*client->problem != '\0'));
  if (client->verdict == ForwardedVerdict::kClient) check_address(client->address);

  const bool listed = which == ForwardedHeader::kXForwardedFor;
  std::vector<std::string> longer = values;
  longer.emplace_back(listed ? "10.1.2.3" : "for=10.1.2.3;proto=https");
  if (const auto more = read(which, longer)) {
    const bool named = client->verdict != ForwardedVerdict::kAbsent;
    // One more may be one too many.
    CHECK(more->verdict == ForwardedVerdict::kMalformed || !named || same(*client, *more));
  }
  if (!arrived(*client)) return;
  longer = values;
  longer.insert(longer.begin(), in_front);
  if (const auto more = read(which, longer)) CHECK(same(*client, *more));
  // The same inside the first line, which for Forwarded has to be one that can be read.
  if (!listed) return;
  values.front().insert(0, in_front + ",");
  if (const auto more = read(which, values)) CHECK(same(*client, *more));
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice::gateway;
  sluice::fuzz::Input input(data, size);
  const auto which =
      input.below(2) == 0 ? ForwardedHeader::kXForwardedFor : ForwardedHeader::kForwarded;
  std::vector<std::string> lines(1);
  for (const char c : sluice::fuzz::as_text(input.rest())) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  // The first is what a client puts in front.
  const std::string in_front = lines.front();
  if (lines.size() > 1) lines.erase(lines.begin());
  check(which, std::move(lines), in_front);
  return 0;
}
