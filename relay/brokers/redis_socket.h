// The system calls of a connection to Redis that have no state of ours.
#pragma once

#include <string>

#include "common/result.h"
#include "common/unique_fd.h"
#include "relay/brokers/redis_resolver.h"

namespace sluice::relay {

struct RedisSocket {
  UniqueFd fd;
  bool connected = false;  ///< false: writable when it is decided
};
/// Non-blocking; TCP with keep-alive and without Nagle. The message is a reason for people.
[[nodiscard]] Result<RedisSocket> begin_connect(const RedisEndpoint& endpoint);
/// What became of a connect: 0 or errno.
[[nodiscard]] int socket_error(int fd);
[[nodiscard]] std::string connect_failure(const RedisEndpoint& endpoint, int error);

/// The file's first line, at most kPasswordBytesMax. The message names the file, never what it
/// holds.
[[nodiscard]] Result<std::string> read_password_file(const std::string& path);

}  // namespace sluice::relay
