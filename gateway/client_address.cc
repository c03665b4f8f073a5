#include "gateway/client_address.h"

namespace sluice::gateway {

std::string to_string(const ClientAddress& address) {
  if (address.is_unix) return "unix";
  std::string ip = to_string(address.ip);
  if (ip.find(':') != std::string::npos) ip = "[" + ip + "]";
  return address.port == 0 ? ip : ip + ":" + std::to_string(address.port);
}

}  // namespace sluice::gateway
