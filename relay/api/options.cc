#include "relay/api/options.h"

namespace sluice::relay::api {

Result<void> check(const ApiOptions& options) {
  const bool needs_keys = options.listen && options.listen->kind != Address::Kind::kUnix;
  if (needs_keys && options.key_file.empty()) {
    return fail(ErrorCode::kInvalid,
                "--api-listen: who can connect over TCP must have a key: give --api-key-file, or "
                "listen on unix:PATH, where --socket-mode says who may");
  }
  if (!options.listen && !options.key_file.empty())
    return fail(ErrorCode::kInvalid, "--api-key-file needs --api-listen");
  return {};
}

}  // namespace sluice::relay::api
