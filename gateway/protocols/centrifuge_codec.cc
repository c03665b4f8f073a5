#include "gateway/protocols/centrifuge_codec.h"

#include <charconv>

#include "gateway/protocols/centrifuge_json.h"
#include "gateway/protocols/centrifuge_meta.h"
#include "gateway/protocols/centrifuge_protobuf.h"

namespace sluice::gateway {
namespace {

constexpr std::size_t kEpochDigits = 16;

}  // namespace

void CentrifugeCodec::fill(centrifuge::Publication& publication, std::uint64_t offset,
                           proto::Bytes payload, proto::Bytes meta) const {
  publication.set_data(payload.data(), payload.size());
  publication.set_offset(offset);
  const envelope::MessageMeta* told = read_meta(meta);
  if (told == nullptr) return;
  if (told->has_publisher()) fill_client_info(told->publisher(), *publication.mutable_info());
  *publication.mutable_tags() = told->tags();
  publication.set_time(told->time_ms());
}

const CentrifugeCodec& centrifuge_json() {
  static const CentrifugeJson codec;
  return codec;
}

const CentrifugeCodec& centrifuge_protobuf() {
  static const CentrifugeProtobuf codec;
  return codec;
}

int methods_of(const centrifuge::Command& command) {
  return int{command.has_connect()} + int{command.has_subscribe()} +
         int{command.has_unsubscribe()} + int{command.has_publish()} + int{command.has_presence()} +
         int{command.has_presence_stats()} + int{command.has_history()} + int{command.has_ping()} +
         int{command.has_send()} + int{command.has_rpc()} + int{command.has_refresh()} +
         int{command.has_sub_refresh()};
}

std::uint64_t epoch_number(std::string_view text) {
  if (text.size() != kEpochDigits) return 0;
  std::uint64_t epoch = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, epoch, 16);
  return error == std::errc() && stopped == end ? epoch : 0;
}

}  // namespace sluice::gateway
