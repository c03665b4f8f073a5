#include "relay/handover/redis_connection_state.h"

#include "relay/brokers/redis_limits.h"

namespace sluice::relay {

void write(StateWriter& out, const RedisConnectionState& connection) {
  out.number<std::int32_t>(connection.descriptor);
  out.text(connection.server_id);
  out.text(connection.unsent);
  out.flag(connection.expecting);
  out.time(connection.expecting_since);
  out.time(connection.last_received);
}

RedisConnectionState read_redis_connection(StateReader& in) {
  RedisConnectionState connection;
  connection.descriptor = in.number<std::int32_t>("broker's descriptor");
  connection.server_id = in.text("broker's id", kRedisReplyBytesMax);
  connection.unsent = in.text("broker's unsent bytes", kRedisOutputBytesMax);
  connection.expecting = in.flag("broker's answer");
  connection.expecting_since = in.time("broker's question");
  connection.last_received = in.time("broker's last word");
  return connection;
}

}  // namespace sluice::relay
