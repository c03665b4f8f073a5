// What the flags say of the server API.
#pragma once

#include <optional>
#include <string>

#include "common/address.h"
#include "common/result.h"

namespace sluice::relay::api {

struct ApiOptions {
  std::optional<Address> listen;
  std::string key_file;   ///< empty: no keys, which only a Unix socket may be without
  std::string node_name;  ///< empty: the host's
};

/// --api-listen and --api-key-file fit each other.
[[nodiscard]] Result<void> check(const ApiOptions& options);

}  // namespace sluice::relay::api
