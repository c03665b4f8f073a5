// The admin listener: serves AdminPages over HTTP, GET alone.
#pragma once

#include <string>

#include "common/admin_pages.h"
#include "common/unique_fd.h"
#include "relay/event_handles.h"

namespace sluice::relay {

class AdminServer {
 public:
  /// `socket` listens; `pages` outlives this.
  AdminServer(event_base* base, UniqueFd socket, const AdminPages& pages);
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  /// What it is bound to.
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  static void on_request(evhttp_request* request, void* self) noexcept;

  const AdminPages& pages_;
  std::string name_;
  EvhttpPtr http_;
};

}  // namespace sluice::relay
