#include "relay/brokers/redis_push_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "relay/brokers/redis_limits.h"

namespace sluice::relay {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

/// A length or count: digits alone, and no more of them than fit.
std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  if (digits.empty() || digits.size() > kRedisLengthDigitsMax) return std::nullopt;
  const char* end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

bool integer(std::string_view digits) {
  if (digits.starts_with('-')) digits.remove_prefix(1);
  return number(digits).has_value();
}

std::string_view take(std::string_view& bytes, std::uint64_t count) {
  const std::string_view taken = bytes.substr(0, count);
  bytes.remove_prefix(taken.size());
  return taken;
}

/// A string that lies whole in `bytes` and is right; nothing: it is not, or is longer than the
/// bound, and `bytes` are of no use any more.
std::optional<std::string_view> take_whole_string(std::string_view& bytes, std::size_t length_max) {
  if (!bytes.starts_with('$')) return std::nullopt;
  const std::size_t digits_end = bytes.substr(0, kRedisLengthDigitsMax + 2).find('\r');
  if (digits_end == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> length = number(bytes.substr(1, digits_end - 1));
  if (!length || *length > length_max) return std::nullopt;
  bytes.remove_prefix(digits_end);
  if (bytes.size() < *length + 2 * kLineEnd.size()) return std::nullopt;
  if (take(bytes, kLineEnd.size()) != kLineEnd) return std::nullopt;
  const std::string_view text = take(bytes, *length);
  if (take(bytes, kLineEnd.size()) != kLineEnd) return std::nullopt;
  return text;
}

}  // namespace

RedisPush RedisPushReader::next(std::string_view& bytes) {
  if (Found whole = read_whole_message(bytes)) return *std::move(whole);
  // A payload of no bytes has nothing to wait for.
  while (!bytes.empty() || at_ == At::kBroken) {
    if (Found found = step(bytes)) return *std::move(found);
  }
  return {};
}

std::size_t RedisPushReader::held_bytes() const {
  return partial_.capacity() + channel_.capacity() + (draft_ ? draft_->payload().size() : 0);
}

RedisPushReader::Found RedisPushReader::read_whole_message(std::string_view& bytes) const {
  constexpr std::string_view kFront = "*3\r\n$7\r\nmessage\r\n";
  const bool between_replies = at_ == At::kReply && (partial_.empty() || partial_used_);
  if (!between_replies || !bytes.starts_with(kFront)) return std::nullopt;
  std::string_view rest = bytes.substr(kFront.size());
  const auto channel = take_whole_string(rest, kRedisPushTextBytesMax);
  if (!channel) return std::nullopt;
  const auto payload = take_whole_string(rest, payload_bytes_max_);
  if (!payload) return std::nullopt;
  bytes = rest;
  return RedisPush{
      .kind = RedisPush::Kind::kMessage, .channel = *channel, .payload = proto::as_bytes(*payload)};
}

RedisPushReader::Found RedisPushReader::step(std::string_view& bytes) {
  switch (at_) {
    case At::kReply:
      return read_reply(bytes);
    case At::kElement:
      return read_element(bytes);
    case At::kText:
      return read_text(bytes);
    case At::kView:
      return read_view(bytes);
    case At::kPayload:
      return read_payload(bytes);
    case At::kSkip:
      return skip(bytes);
    case At::kPayloadEnd:
    case At::kSkipEnd:
      return read_end(bytes);
    case At::kBroken:
      break;
  }
  return malformed(problem_);
}

RedisPushReader::Found RedisPushReader::malformed(std::string_view what) {
  at_ = At::kBroken;
  problem_ = what;
  draft_.reset();
  return RedisPush{.kind = RedisPush::Kind::kMalformed, .text = what};
}

// ---- lines

std::optional<std::string_view> RedisPushReader::take_line(std::string_view& bytes) {
  if (std::exchange(partial_used_, false)) partial_.clear();
  const std::size_t end = bytes.substr(0, kRedisLineBytesMax + 1).find('\n');
  const bool whole = end != std::string_view::npos;
  const std::string_view piece = take(bytes, whole ? end + 1 : kRedisLineBytesMax + 1);
  std::string_view line = piece;
  if (!whole || !partial_.empty()) {
    partial_.append(piece);
    line = partial_;
  }
  if (line.size() > kRedisLineBytesMax) {
    (void)malformed("a line is too long");
    return std::nullopt;
  }
  if (!whole) return std::nullopt;
  partial_used_ = true;
  if (!line.ends_with(kLineEnd)) {
    (void)malformed("a line does not end in CR LF");
    return std::nullopt;
  }
  line.remove_suffix(kLineEnd.size());
  return line;
}

RedisPushReader::Found RedisPushReader::read_reply(std::string_view& bytes) {
  const std::optional<std::string_view> line = take_line(bytes);
  if (!line) return std::nullopt;
  if (line->empty()) return malformed("an empty line");
  const std::string_view rest = line->substr(1);
  switch (line->front()) {
    case '*':
      return begin_array(rest);
    case '-':
      return RedisPush{.kind = RedisPush::Kind::kError, .text = rest};
    case '+':
      // To a PING while nothing is subscribed; nothing else is asked that is answered so.
      if (rest != "PONG") return malformed("a status that nobody asked for");
      return RedisPush{.kind = RedisPush::Kind::kPong};
    default:
      return malformed("a reply of a kind that does not come to a subscriber");
  }
}

RedisPushReader::Found RedisPushReader::begin_array(std::string_view count) {
  const std::optional<std::uint64_t> elements = number(count);
  if (!elements || *elements < 2 || *elements > kRedisPushElementsMax) {
    return malformed("a push of a wrong number of elements");
  }
  elements_ = *elements;
  element_ = 0;
  at_ = At::kElement;
  return std::nullopt;
}

RedisPushReader::Found RedisPushReader::read_element(std::string_view& bytes) {
  const std::optional<std::string_view> line = take_line(bytes);
  if (!line) return std::nullopt;
  const bool payload = element_ == 2 && push_ == Push::kMessage;
  if (element_ == 2 && !payload) {
    // How many are subscribed.
    const bool good = line->starts_with(':') && integer(line->substr(1));
    return good ? end_push() : malformed("the answer to a subscription has no number");
  }
  // Nested arrays and nothings (nil) do not come either.
  if (!line->starts_with('$')) return malformed("an element of a push is no string");
  const std::optional<std::uint64_t> length = number(line->substr(1));
  if (!length) return malformed("a string of a wrong length");
  if (payload) return begin_payload(*length);
  if (*length > kRedisPushTextBytesMax) return malformed("kind or channel is too long");
  left_ = *length + kLineEnd.size();
  at_ = At::kText;
  return std::nullopt;
}

// ---- kind and channel

RedisPushReader::Found RedisPushReader::read_text(std::string_view& bytes) {
  if (std::exchange(partial_used_, false)) partial_.clear();
  const std::string_view piece = take(bytes, left_ - partial_.size());
  std::string_view text = piece;
  if (piece.size() < left_) {
    partial_.append(piece);
    text = partial_;
  }
  if (text.size() < left_) return std::nullopt;
  partial_used_ = true;
  if (!text.ends_with(kLineEnd)) return malformed("a string does not end where it should");
  text.remove_suffix(kLineEnd.size());
  return take_text(text);
}

RedisPushReader::Found RedisPushReader::take_text(std::string_view text) {
  at_ = At::kElement;
  if (element_++ == 1) {
    channel_.assign(text);
    return elements_ == 2 ? end_push() : std::nullopt;
  }
  if (text == "message") {
    push_ = Push::kMessage;
  } else if (text == "subscribe") {
    push_ = Push::kSubscribe;
  } else if (text == "unsubscribe") {
    push_ = Push::kUnsubscribe;
  } else if (text == "pong") {
    push_ = Push::kPong;
  } else {
    return malformed("a push of an unknown kind");
  }
  const bool fits = elements_ == (push_ == Push::kPong ? 2U : 3U);
  return fits ? std::nullopt : malformed("a push of a wrong number of elements");
}

RedisPushReader::Found RedisPushReader::end_push() {
  at_ = At::kReply;
  switch (push_) {
    case Push::kSubscribe:
      return RedisPush{.kind = RedisPush::Kind::kSubscribed, .channel = channel_};
    case Push::kUnsubscribe:
      return RedisPush{.kind = RedisPush::Kind::kUnsubscribed, .channel = channel_};
    case Push::kPong:
      return RedisPush{.kind = RedisPush::Kind::kPong};
    case Push::kMessage:
      break;
  }
  if (!draft_) {
    return RedisPush{.kind = RedisPush::Kind::kOversized, .channel = channel_, .bytes = length_};
  }
  RedisPush push{.kind = RedisPush::Kind::kAssembled, .channel = channel_};
  push.message = std::exchange(draft_, std::nullopt);
  return push;
}

// ---- payloads

RedisPushReader::Found RedisPushReader::begin_payload(std::uint64_t length) {
  length_ = length;
  left_ = length;
  at_ = length > payload_bytes_max_ ? At::kSkip : At::kView;
  return std::nullopt;
}

RedisPushReader::Found RedisPushReader::read_view(std::string_view& bytes) {
  if (bytes.size() < length_ + kLineEnd.size()) {
    draft_.emplace(length_);
    at_ = length_ == 0 ? At::kPayloadEnd : At::kPayload;
    left_ = length_ == 0 ? kLineEnd.size() : length_;
    return std::nullopt;
  }
  const std::string_view payload = take(bytes, length_);
  if (take(bytes, kLineEnd.size()) != kLineEnd) {
    return malformed("a payload does not end where it should");
  }
  at_ = At::kReply;
  return RedisPush{
      .kind = RedisPush::Kind::kMessage, .channel = channel_, .payload = proto::as_bytes(payload)};
}

RedisPushReader::Found RedisPushReader::read_payload(std::string_view& bytes) {
  const std::string_view piece = take(bytes, left_);
  draft_->append(proto::as_bytes(piece));
  left_ -= piece.size();
  if (left_ > 0) return std::nullopt;
  at_ = At::kPayloadEnd;
  left_ = kLineEnd.size();
  return std::nullopt;
}

RedisPushReader::Found RedisPushReader::skip(std::string_view& bytes) {
  left_ -= take(bytes, left_).size();
  if (left_ > 0) return std::nullopt;
  at_ = At::kSkipEnd;
  left_ = kLineEnd.size();
  return std::nullopt;
}

RedisPushReader::Found RedisPushReader::read_end(std::string_view& bytes) {
  const char expected = kLineEnd[kLineEnd.size() - left_];
  if (take(bytes, 1).front() != expected) {
    return malformed("a payload does not end where it should");
  }
  if (--left_ > 0) return std::nullopt;
  return end_push();
}

}  // namespace sluice::relay
