#include "relay/brokers/redis_reply_reader.h"

#include "common/check.h"
#include "relay/brokers/redis_error.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay {

RedisReplyReader::RedisReplyReader(std::size_t string_bytes_max)
    : reader_(redisReaderCreate()), string_bytes_max_(string_bytes_max) {
  CHECK(reader_ != nullptr);
  reader_->maxbuf = kRedisReaderSpareBytesMax;
}

RedisReplyPtr RedisReplyReader::next(std::string_view& bytes) {
  while (problem_.empty()) {
    void* raw = nullptr;
    if (redisReaderGetReply(reader_.get(), &raw) != REDIS_OK) {
      problem_ = "answer not understood: " + printable(reader_->errstr);
      break;
    }
    if (raw != nullptr) return RedisReplyPtr(static_cast<redisReply*>(raw));
    if (rest().size() > string_bytes_max_) {
      problem_ = "an answer of more than " + std::to_string(string_bytes_max_ >> 10U) + " KiB came";
      break;
    }
    if (bytes.empty()) break;
    const std::string_view slice = bytes.substr(0, kRedisReplySliceBytes);
    bytes.remove_prefix(slice.size());
    if (redisReaderFeed(reader_.get(), slice.data(), slice.size()) != REDIS_OK) {
      problem_ = std::string("answer not understood: ") + reader_->errstr;
    }
  }
  return nullptr;
}

bool RedisReplyReader::take_integer(std::string_view& bytes) {
  constexpr std::size_t kDigitsMax = 18;
  const bool between_replies = problem_.empty() && reader_->ridx < 0 && rest().empty();
  if (!between_replies || !bytes.starts_with(':')) return false;
  std::size_t end = 1;
  while (end < bytes.size() && end <= kDigitsMax && bytes[end] >= '0' && bytes[end] <= '9') ++end;
  if (end == 1 || bytes.substr(end, 2) != "\r\n") return false;
  bytes.remove_prefix(end + 2);
  return true;
}

std::string_view RedisReplyReader::rest() const {
  if (reader_->buf == nullptr) return {};
  return {reader_->buf + reader_->pos, reader_->len - reader_->pos};
}

}  // namespace sluice::relay
