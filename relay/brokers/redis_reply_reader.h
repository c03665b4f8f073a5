// The bytes of a connection to Redis become replies: hiredis' reader, with an owner and a bound.
// For handshake and publisher, whose answers are short or bounded by what was asked. What a
// subscriber hears has a reader of its own (redis_push_reader.h).
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <string>
#include <string_view>

#include "relay/brokers/redis_limits.h"

namespace sluice::relay {

struct RedisReplyFree {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using RedisReplyPtr = std::unique_ptr<redisReply, RedisReplyFree>;

class RedisReplyReader {
 public:
  /// One string of an answer with more bytes ends it.
  explicit RedisReplyReader(std::size_t string_bytes_max = kRedisReplyBytesMax);

  /// The next reply; takes off the front of `bytes` what it has used. Null: all bytes are used up,
  /// or problem() says what is wrong with them.
  [[nodiscard]] RedisReplyPtr next(std::string_view& bytes);
  /// Takes a whole integer off the front of `bytes`, without making a reply of it: what nearly
  /// every answer to a PUBLISH is. False: next() has to read what comes.
  [[nodiscard]] bool take_integer(std::string_view& bytes);
  /// Empty: none. Else nothing more can be read.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// What has been taken and belongs to no reply yet.
  [[nodiscard]] std::string_view rest() const;

 private:
  struct ReaderFree {
    void operator()(redisReader* reader) const { redisReaderFree(reader); }
  };

  std::unique_ptr<redisReader, ReaderFree> reader_;
  const std::size_t string_bytes_max_;
  std::string problem_;
};

}  // namespace sluice::relay
