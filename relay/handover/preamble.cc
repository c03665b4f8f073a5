#include "relay/handover/preamble.h"

#include <algorithm>

#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {
namespace {

constexpr std::uint64_t kMagic = 0x31594C5243554C53;  // "SLUCRLY1"
constexpr std::size_t kFixedBytes = 8 + 8 + 4 + 4 + 4 + 8;

bool all_different(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end();
}

}  // namespace

std::size_t preamble_bytes(const Preamble& preamble) {
  return kFixedBytes + preamble.others.size() * sizeof(std::int32_t);
}

std::string encode(const Preamble& preamble) {
  std::string out;
  StateWriter writer([&out](std::string_view bytes) {
    out.append(bytes);
    return true;
  });
  writer.number(kMagic);
  writer.number(preamble.total_bytes);
  writer.number(preamble.version);
  writer.number<std::int32_t>(preamble.link_socket);
  writer.number<std::int32_t>(preamble.admin_socket);
  writer.number<std::uint64_t>(preamble.others.size());
  for (const int one : preamble.others) writer.number<std::int32_t>(one);
  (void)writer.finish();
  return out;
}

std::optional<Preamble> decode_preamble(proto::Bytes bytes) {
  StateReader reader(bytes);
  Preamble preamble;
  reader.require(reader.number<std::uint64_t>("magic") == kMagic, "magic", "is another");
  preamble.total_bytes = reader.number<std::uint64_t>("total");
  reader.require(preamble.total_bytes == bytes.size(), "total", "is not what there is");
  preamble.version = reader.number<std::uint32_t>("version");
  preamble.link_socket = reader.number<std::int32_t>("link socket");
  preamble.admin_socket = reader.number<std::int32_t>("admin socket");
  preamble.others.resize(reader.count("descriptors", sizeof(std::int32_t)));
  reader.require(preamble.others.size() <= kCarriedDescriptorsMax, "descriptors", "are too many");
  std::vector<int> all{preamble.link_socket};
  if (preamble.admin_socket != -1) all.push_back(preamble.admin_socket);
  for (int& one : preamble.others) all.push_back(one = reader.number<std::int32_t>("descriptor"));
  // Below 3 stand the standard ones.
  const bool plausible = std::all_of(all.begin(), all.end(), [](int fd) { return fd > 2; });
  if (!reader.good() || !plausible || !all_different(std::move(all))) return std::nullopt;
  return preamble;
}

}  // namespace sluice::relay
