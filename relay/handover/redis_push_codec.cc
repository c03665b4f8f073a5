#include "relay/handover/redis_push_codec.h"

#include "relay/brokers/redis_limits.h"

namespace sluice::relay {
namespace {

constexpr std::uint64_t kLengthMax = 1'000'000'000'000'000'000;  // kRedisLengthDigitsMax digits
constexpr std::size_t kTextBytesMax = kRedisPushTextBytesMax + 2;

}  // namespace

void RedisPushCodec::write(StateWriter& out, const RedisPushReader& reader) {
  out.number<std::uint32_t>(static_cast<std::uint32_t>(reader.at_));
  out.number<std::uint32_t>(static_cast<std::uint32_t>(reader.push_));
  out.number<std::uint64_t>(reader.elements_);
  out.number<std::uint64_t>(reader.element_);
  out.number(reader.left_);
  out.number(reader.length_);
  // What has been handed out as a view is no part of what is to come.
  out.text(reader.partial_used_ ? std::string_view() : reader.partial_);
  out.text(reader.channel_);
  out.flag(reader.draft_.has_value());
  if (!reader.draft_) return;
  const std::string_view payload = proto::as_text(reader.draft_->payload());
  out.text(payload.substr(0, payload.size() - reader.draft_->missing()));
}

void RedisPushCodec::read(StateReader& in, RedisPushReader& reader) {
  using At = RedisPushReader::At;
  using Push = RedisPushReader::Push;
  const auto at = in.number<std::uint32_t>("push's step");
  const auto push = in.number<std::uint32_t>("push's kind");
  in.require(at < static_cast<std::uint32_t>(At::kBroken), "push's step", "is unknown");
  in.require(push <= static_cast<std::uint32_t>(Push::kPong), "push's kind", "is unknown");
  reader.elements_ = in.number<std::uint64_t>("push's elements");
  reader.element_ = in.number<std::uint64_t>("push's element");
  reader.left_ = in.number<std::uint64_t>("push's rest");
  reader.length_ = in.number<std::uint64_t>("push's length");
  reader.partial_ = in.text("push's line", kRedisLineBytesMax);
  reader.channel_ = in.text("push's channel", kRedisPushTextBytesMax);
  if (!in.good()) return;
  reader.at_ = static_cast<At>(at);
  reader.push_ = static_cast<Push>(push);
  read_draft(in, reader);
  check(in, reader);
}

void RedisPushCodec::read_draft(StateReader& in, RedisPushReader& reader) {
  if (!in.flag("push's payload")) return;
  in.require(reader.length_ <= reader.payload_bytes_max_, "push's payload", "is too long");
  const std::string_view have = in.text("push's payload", reader.length_);
  if (!in.good()) return;
  reader.draft_.emplace(reader.length_);
  reader.draft_->append(proto::as_bytes(have));
}

void RedisPushCodec::check(StateReader& in, const RedisPushReader& reader) {
  in.require(in.good() && plausible(reader), "push's parts", "do not fit each other");
}

bool RedisPushCodec::plausible(const RedisPushReader& reader) {
  using At = RedisPushReader::At;
  using Push = RedisPushReader::Push;
  const At at = reader.at_;
  const bool in_push = reader.elements_ >= 2 && reader.elements_ <= kRedisPushElementsMax &&
                       reader.element_ < reader.elements_;
  // Its first element says how many there are.
  const bool kind_fits =
      reader.element_ == 0 || reader.elements_ == (reader.push_ == Push::kPong ? 2U : 3U);
  const bool in_payload = in_push && kind_fits && reader.element_ == 2 &&
                          reader.push_ == Push::kMessage && reader.partial_.empty();
  const bool counted = reader.left_ > 0 && reader.left_ <= kLengthMax;
  const bool at_end = reader.left_ == 1 || reader.left_ == 2;
  const std::size_t missing = reader.draft_ ? reader.draft_->missing() : 0;
  if (reader.draft_.has_value() != (at == At::kPayload || at == At::kPayloadEnd)) return false;
  switch (at) {
    case At::kReply:
      return true;
    case At::kElement:
      return in_push && kind_fits;
    case At::kText:
      return in_push && kind_fits && reader.element_ < 2 && reader.left_ >= 2 &&
             reader.left_ <= kTextBytesMax && reader.partial_.size() < reader.left_;
    case At::kView:
      return in_payload && reader.length_ <= reader.payload_bytes_max_ &&
             reader.left_ == reader.length_;
    case At::kPayload:
      return in_payload && missing > 0 && reader.left_ == missing;
    case At::kPayloadEnd:
      return in_payload && missing == 0 && at_end;
    case At::kSkip:
      return in_payload && counted;
    case At::kSkipEnd:
      return in_payload && at_end;
    case At::kBroken:
      break;
  }
  return false;
}

}  // namespace sluice::relay
