// Values with units, addresses, networks, URLs (common/units, address, ip;
// relay/brokers/redis_url). Promises: whatever is typed is refused with a message or means
// something inside its range, and what is written out again means the same.
#include <cmath>
#include <string>

#include "common/address.h"
#include "common/check.h"
#include "common/flags.h"
#include "common/ip.h"
#include "common/units.h"
#include "relay/brokers/redis_url.h"
#include "tests/fuzz/input.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;

void check_duration(const std::string& text) {
  const auto parsed = parse_duration(text);
  if (!parsed) return;
  CHECK(*parsed >= Duration::zero() && *parsed <= std::chrono::hours(24 * 3650));
  // Written with whole milliseconds.
  const auto again = parse_duration(format_duration(*parsed));
  CHECK(again && *again == std::chrono::duration_cast<milliseconds>(*parsed));
}

void check_numbers(const std::string& text) {
  constexpr std::uint64_t kExact = std::uint64_t{1} << 53U;
  constexpr double kRateMax = 1e9;
  if (const auto size = parse_size(text)) {
    CHECK(*size <= kExact);
    CHECK(parse_size(std::to_string(*size) + "B").value() == *size);
  }
  if (const auto rate = parse_rate(text)) CHECK(*rate > 0 && *rate <= kRateMax);
  if (const auto count = count_between(3, 1000)(text)) CHECK(*count >= 3 && *count <= 1000);
  if (const auto size = size_between(512, 4096)(text)) CHECK(*size >= 512 && *size <= 4096);
  if (const auto wait = duration_between(milliseconds(10), std::chrono::hours(1))(text))
    CHECK(*wait >= milliseconds(10) && *wait <= std::chrono::hours(1));
  if (const auto mode = parse_file_mode(text)) CHECK(*mode <= 0777);
}

void check_ip(const std::string& text) {
  const auto ip = IpAddress::parse(text);
  if (ip) {
    const auto again = IpAddress::parse(to_string(*ip));
    CHECK(again && *again == *ip);
  }
  const auto network = Cidr::parse(text);
  if (!network) return;
  CHECK(network->bits <= 128 && network->contains(network->network));
  IpAddress other = network->network;
  if (network->bits > 0) {
    other.bytes[(network->bits - 1) / 8] ^=
        static_cast<std::uint8_t>(0x80U >> (network->bits - 1) % 8);
    CHECK(!network->contains(other));
  }
}

void check_address(const std::string& text) {
  const auto address = parse_address(text);
  if (!address) return;
  // The system would take the path to its first 0 byte.
  CHECK(address->path.find('\0') == std::string::npos);
  const auto again = parse_address(to_string(*address));
  CHECK(again && again->kind == address->kind && again->host == address->host &&
        again->port == address->port && again->path == address->path && again->fd == address->fd);
}

void check_url(const std::string& text) {
  const auto parsed = relay::parse_redis_url(text);
  if (!parsed) {
    CHECK(!parsed.error().message.empty());
    return;
  }
  CHECK(parsed->host.empty() != parsed->unix_path.empty());
  const auto again = relay::parse_redis_url(relay::describe(*parsed));
  CHECK(again && again->host == parsed->host && again->port == parsed->port &&
        again->unix_path == parsed->unix_path && again->db == parsed->db &&
        again->user == parsed->user);
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  fuzz::Input input(data, size);
  const std::string text(fuzz::as_text(input.rest()));
  check_duration(text);
  check_numbers(text);
  check_ip(text);
  check_address(text);
  check_url(text);
  return 0;
}
